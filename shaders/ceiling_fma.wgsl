// Nothing but multiply-adds, in registers: what the device computes at most. Every invocation does 16 · 8 · steps
// operations; the result is stored so that nothing can be left out.

struct Params {
    steps: u32,
    by: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
    // Nothing is known when this is compiled: a constant could take a move of its own.
    let x = vec4f(f32(id.x)) * vec4f(1.0, 2.0, 3.0, 4.0);
    let f = vec4f(p.by) - 1e-9 * x;
    var a = x;
    var b = x + 1.0;
    var c = x + 2.0;
    var d = x + 3.0;
    var e = x + 4.0;
    var g = x + 5.0;
    var h = x + 6.0;
    var i = x + 7.0;
    for (var t = 0u; t < p.steps; t++) {
        a = fma(a, f, x);
        b = fma(b, f, x);
        c = fma(c, f, x);
        d = fma(d, f, x);
        e = fma(e, f, x);
        g = fma(g, f, x);
        h = fma(h, f, x);
        i = fma(i, f, x);
        a = fma(a, f, x);
        b = fma(b, f, x);
        c = fma(c, f, x);
        d = fma(d, f, x);
        e = fma(e, f, x);
        g = fma(g, f, x);
        h = fma(h, f, x);
        i = fma(i, f, x);
    }
    y[id.x] = a + b + c + d + e + g + h + i;
}
