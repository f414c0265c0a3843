// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011): the four words of core/rng's Block
// for a counter and a key.

#import numbers

fn philox(counter: vec4u, seed: vec2u) -> vec4u {
    var c = counter;
    var k = seed;
    for (var round = 0u; round < 10u; round++) {
        c = vec4u(mulhi(0xCD9E8D57u, c.z) ^ c.y ^ k.x, 0xCD9E8D57u * c.z, mulhi(0xD2511F53u, c.x) ^ c.w ^ k.y, 0xD2511F53u * c.x);
        k += vec2u(0x9E3779B9u, 0xBB67AE85u);
    }
    return c;
}
