// One update of a parameter, in place (torch.optim.SGD): param -= lr·(grad·factor + decay·param). A factor that is not
// finite leaves all as it is.

#import element
#import numbers

struct Params {
    first: u32,
    count: u32,
    weight_decay: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> param: array<E>;
@group(0) @binding(2) var<storage, read> grad: array<E>;
@group(0) @binding(3) var<storage, read> factor: array<f32>;
@group(0) @binding(4) var<storage, read> rates: array<f32>; // lr, …

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
    let i = p.first + id.x;
    if (i >= p.count || !finite(factor[0])) {
        return;
    }
    let old = param[i];
    param[i] = old - rates[0] * (grad[i] * factor[0] + p.weight_decay * old);
}
