// y is x · keep where the element's random number is not below the threshold, and 0 elsewhere. An invocation handles the
// four elements of a block of random numbers. IN_PLACE: x lies where y is to be.

#import element
#import philox

struct Params {
    first: u32,
    count: u32,     // blocks
    n: u32,         // elements
    stream: u32,    // upper word of the index of a block
    threshold: u32, // of the upper 24 bits
    keep: f32,
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
    let words = philox(vec4u(block, p.stream, key[2], key[3]), vec2u(key[0], key[1]));
    let kept = (words >> vec4u(8u)) >= vec4u(p.threshold);
#ifdef VEC4
#ifdef IN_PLACE
    let v = y[block];
#else
    let v = x[block];
#endif
    y[block] = select(vec4f(), v * p.keep, kept);
#else
    for (var i = 0u; i < 4u; i++) {
        let at = 4u * block + i;
        if (at < p.n) {
#ifdef IN_PLACE
            let v = y[at];
#else
            let v = x[at];
#endif
            y[at] = select(0.0, v * p.keep, ((words[i] >> 8u) >= p.threshold));
        }
    }
#endif
}
