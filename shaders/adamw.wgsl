// One update of a parameter and its moments, in place (torch.optim.AdamW):
// g = grad·factor; m = β1·m + (1-β1)·g; v = β2·v + (1-β2)·g²; param = param·(1 - lr·decay) - step·m/(sqrt(v)/root + ε).
// A factor that is not finite leaves all as it is.

#import element
#import numbers

struct Params {
    first: u32,
    count: u32,
    beta1: f32,
    rest1: f32, // 1 - beta1, rounded from float64
    beta2: f32,
    rest2: f32,
    epsilon: f32,
    weight_decay: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> param: array<E>;
@group(0) @binding(2) var<storage, read_write> m: array<E>;
@group(0) @binding(3) var<storage, read_write> v: array<E>;
@group(0) @binding(4) var<storage, read> grad: array<E>;
@group(0) @binding(5) var<storage, read> factor: array<f32>;
@group(0) @binding(6) var<storage, read> rates: array<f32>; // lr, step, root

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
    let i = p.first + id.x;
    if (i >= p.count || !finite(factor[0])) {
        return;
    }
    let g = grad[i] * factor[0];
    let mi = p.beta1 * m[i] + p.rest1 * g;
    let vi = p.beta2 * v[i] + p.rest2 * g * g;
    m[i] = mi;
    v[i] = vi;
    param[i] = param[i] * (1.0 - rates[0] * p.weight_decay) - rates[1] * mi / (sqrt(vi) / rates[2] + E(p.epsilon));
}
