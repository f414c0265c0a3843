// The factor of an update, min(1, max_grad_norm/(norm + 1e-6)) / tokens, and the norm of the mean gradient; a norm that
// is not finite gives a factor of NaN, and a max_grad_norm of 0 does not clip.

#import numbers

struct Params {
    first: u32,
    count: u32,
    max_grad_norm: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> factor: array<f32>;
@group(0) @binding(2) var<storage, read_write> grad_norm: array<f32>;
@group(0) @binding(3) var<storage, read> sum_squares: array<f32>;
@group(0) @binding(4) var<storage, read> tokens: array<f32>;

@compute @workgroup_size(1)
fn main() {
    let norm = sqrt(sum_squares[0]) / tokens[0];
    var c = 1.0;
    if (p.max_grad_norm > 0.0) {
        c = min(1.0, p.max_grad_norm / (norm + 1e-6));
    }
    factor[0] = c / tokens[0];
    if (!finite(norm)) {
        factor[0] = not_a_number(norm);
    }
    grad_norm[0] = norm;
}
