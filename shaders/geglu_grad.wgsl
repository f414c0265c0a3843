// The gradients of gate and up, written over gate and up: dgate = dy · up · (Φ + gate·Φ'), dup = dy · gate · Φ.

#import normal

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
    let c = normal_cdf(g);
    gate[i] = d * up[i] * (c + g * normal_density(g, c));
    up[i] = d * g * c;
}
