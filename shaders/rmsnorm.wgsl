// y = x / sqrt(mean(x²) + eps) · weight, a row of x [rows, n] by one invocation.
//
// VEC4: n is a multiple of four.

struct Params {
    rows: u32,
    n: u32,
    eps: f32,
}

@group(0) @binding(0) var<uniform> p: Params;

#ifdef VEC4
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read> weight: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4f>;
#else
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
#endif

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) id: vec3u) {
    if (id.x >= p.rows) {
        return;
    }
#ifdef VEC4
    let n = p.n / 4u;
    var squares = vec4f();
#else
    let n = p.n;
    var squares = 0.0;
#endif
    let start = id.x * n;
    for (var i = 0u; i < n; i++) {
        let v = x[start + i];
        squares += v * v;
    }
#ifdef VEC4
    let sum = (squares.x + squares.y) + (squares.z + squares.w);
#else
    let sum = squares;
#endif
    let r = 1.0 / sqrt(sum / f32(p.n) + p.eps);
    for (var i = 0u; i < n; i++) {
        y[start + i] = x[start + i] * r * weight[i];
    }
}
