// Makes of some columns of the logits the gradient of them: (softmax − 1 at the target) · dnll, 0 in rows without one.

#import element

struct Params {
    first: u32,
    count: u32,
    n: u32, // columns, or groups of four, of a row
    first_col: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> logits: array<E>;
@group(0) @binding(2) var<storage, read> targets: array<i32>;
@group(0) @binding(3) var<storage, read> lse: array<f32>;
@group(0) @binding(4) var<storage, read> dnll: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
    let i = p.first + id.x;
    if (i >= p.count) {
        return;
    }
    let row = i / p.n;
    let chosen = targets[row];
    if (chosen < 0) {
        logits[i] = E();
        return;
    }
    var d = exp(logits[i] - lse[row]);
#ifdef VEC4
    let col = p.first_col + 4u * (i % p.n);
    d -= select(vec4f(), vec4f(1.0), vec4u(u32(chosen)) == vec4u(col, col + 1u, col + 2u, col + 3u));
#else
    d -= select(0.0, 1.0, u32(chosen) == p.first_col + i % p.n);
#endif
    logits[i] = d * dnll[row];
}
