// y = x + bias for every row of x [rows, n]. IN_PLACE: x lies where y is to be.

#import element

struct Params {
    first: u32,
    count: u32,
    n: u32, // elements, or groups of four, of a row
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> y: array<E>;
@group(0) @binding(2) var<storage, read> bias: array<E>;
#ifdef IN_PLACE
#else
@group(0) @binding(3) var<storage, read> x: array<E>;
#endif

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
    let i = p.first + id.x;
    if (i >= p.count) {
        return;
    }
#ifdef IN_PLACE
    y[i] += bias[i % p.n];
#else
    y[i] = x[i] + bias[i % p.n];
#endif
}
