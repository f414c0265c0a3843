// y = x: for operators whose kernels work in place, where the plan keeps an operand.

#import element

struct Params {
    first: u32,
    count: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> y: array<E>;
@group(0) @binding(2) var<storage, read> x: array<E>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
    let i = p.first + id.x;
    if (i >= p.count) {
        return;
    }
    y[i] = x[i];
}
