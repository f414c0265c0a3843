// y = 0 or, with VALUE, the one number of value, for every element.

#import element

struct Params {
    first: u32,
    count: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> y: array<E>;
#ifdef VALUE
@group(0) @binding(2) var<storage, read> value: array<f32>;
#endif

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
    let i = p.first + id.x;
    if (i >= p.count) {
        return;
    }
#ifdef VALUE
    y[i] = E(value[0]);
#else
    y[i] = E();
#endif
}
