// y = x·Φ(x). TANH: by the approximation with tanh. IN_PLACE: x lies where y is to be.

#import normal

struct Params {
    first: u32,
    count: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> y: array<E>;
#ifdef IN_PLACE
#else
@group(0) @binding(2) var<storage, read> x: array<E>;
#endif

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
    let i = p.first + id.x;
    if (i >= p.count) {
        return;
    }
#ifdef IN_PLACE
    let v = y[i];
#else
    let v = x[i];
#endif
    y[i] = v * normal_cdf(v);
}
