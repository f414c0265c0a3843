// y is x plus a random number within ±magnitude for each element. An invocation handles the four elements of a block of random
// numbers. IN_PLACE: x lies where y is to be.

#import element
#import philox

struct Params {
    first: u32,
    count: u32, // blocks
    n: u32,     // elements
    magnitude: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> y: array<E>;
@group(0) @binding(2) var<storage, read> key: array<u32>; // two words of the seed, two of the step
#ifdef IN_PLACE
#else
@group(0) @binding(3) var<storage, read> x: array<E>;
#endif

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
    let block = p.first + id.x;
    if (block >= p.count) {
        return;
    }
    let words = philox(vec4u(block, 0u, key[2], key[3]), vec2u(key[0], key[1]));
    // The upper 24 bits as a number in [-1, 1): exact, so that no device draws another one.
    let noise = p.magnitude * (vec4f(words >> vec4u(8u)) * (1.0 / 8388608.0) - 1.0);
#ifdef VEC4
#ifdef IN_PLACE
    y[block] = y[block] + noise;
#else
    y[block] = x[block] + noise;
#endif
#else
    for (var i = 0u; i < 4u; i++) {
        let at = 4u * block + i;
        if (at < p.n) {
#ifdef IN_PLACE
            y[at] = y[at] + noise[i];
#else
            y[at] = x[at] + noise[i];
#endif
        }
    }
#endif
}
