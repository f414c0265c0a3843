// The gradients of gate and up, written over gate and up. With s = 1/(1 + exp(-gate)):
// dgate = dy · up · s · (1 + gate · (1 - s)), dup = dy · gate · s.

#import element

struct Params {
    first: u32,
    count: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> gate: array<E>;
@group(0) @binding(2) var<storage, read_write> up: array<E>;
@group(0) @binding(3) var<storage, read> dy: array<E>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
    let i = p.first + id.x;
    if (i >= p.count) {
        return;
    }
    let g = gate[i];
    let d = dy[i];
    let one = E(1.0);
    let s = one / (one + exp(-g));
    gate[i] = d * up[i] * s * (one + g * (one - s));
    up[i] = d * g * s;
}
