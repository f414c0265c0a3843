// For every query and head, lse and Σ dy·y: what the gradients need of the forward pass.

#import element
#import attention_mask

@group(0) @binding(1) var<storage, read> y: array<E>;
@group(0) @binding(2) var<storage, read> dy: array<E>;
@group(0) @binding(3) var<storage, read> lse: array<f32>;
@group(0) @binding(4) var<storage, read_write> rows: array<vec2f>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
    let at = p.first + id.x; // query · heads + head
    if (at >= p.count) {
        return;
    }
    var products = E();
    for (var i = 0u; i < STEPS; i++) {
        products += dy[at * STEPS + i] * y[at * STEPS + i];
    }
    rows[at] = vec2f(lse[at], sum_of(products));
}
