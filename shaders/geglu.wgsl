// y = gelu(gate) · up, with the gelu that TANH names. IN_PLACE: gate lies where y is to be.

#import normal

struct Params {
    first: u32,
    count: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> y: array<E>;
@group(0) @binding(2) var<storage, read> up: array<E>;
#ifdef IN_PLACE
#else
@group(0) @binding(3) var<storage, read> gate: array<E>;
#endif

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
    let i = p.first + id.x;
    if (i >= p.count) {
        return;
    }
#ifdef IN_PLACE
    let g = y[i];
#else
    let g = gate[i];
#endif
    y[i] = g * normal_cdf(g) * up[i];
}
