// Turns pairs of elements of each head of x [rows, heads · head_dim] by position · inv_freq. An invocation takes one pair
// of a row in all heads, or one element behind the pairs, which stays as it is. A pair is elements i and i + pairs or,
// with INTERLEAVED, neighbours. IN_PLACE: x lies where y is to be.

#import angle

struct Params {
    first: u32,
    count: u32, // rows · each
    each: u32,  // invocations of a row: the pairs of a head, and what is left of it
    pairs: u32,
    head_dim: u32,
    heads: u32,
    sign: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<storage, read> positions: array<i32>;
@group(0) @binding(3) var<storage, read> inv_freq: array<f32>;
#ifdef IN_PLACE
#else
@group(0) @binding(4) var<storage, read> x: array<f32>;
#endif

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
    let at = p.first + id.x;
    if (at >= p.count) {
        return;
    }
    let row = at / p.each;
    let i = at % p.each;
    let start = row * p.heads * p.head_dim;
    if (i >= p.pairs) {
#ifdef IN_PLACE
#else
        for (var h = 0u; h < p.heads; h++) {
            let k = start + h * p.head_dim + p.pairs + i;
            y[k] = x[k];
        }
#endif
        return;
    }
#ifdef INTERLEAVED
    let one = 2u * i;
    let other = 2u * i + 1u;
#else
    let one = i;
    let other = i + p.pairs;
#endif
    let sc = turn(f32(positions[row]) * inv_freq[i]);
    let s = sc.x * p.sign;
    let c = sc.y;
    for (var h = 0u; h < p.heads; h++) {
        let j = start + h * p.head_dim + one;
        let k = start + h * p.head_dim + other;
#ifdef IN_PLACE
        let a = y[j];
        let b = y[k];
#else
        let a = x[j];
        let b = x[k];
#endif
        y[j] = a * c - b * s;
        y[k] = b * c + a * s;
    }
}
