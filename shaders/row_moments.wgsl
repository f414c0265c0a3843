// The mean of a row of x [rows, n] and 1/sqrt(var + eps), by two passes, so that a large mean does no harm.

#import element
#import lanes

struct Params {
    first: u32,
    rows: u32,
    n: u32,      // elements, or groups of four, of a row
    length: f32, // elements of a row
    eps: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<E>;

fn moments(start: u32, lane: u32) -> vec2f {
    var sum = E();
    for (var i = lane; i < p.n; i += LANES) {
        sum += x[start + i];
    }
    let mean = across(sum_of(sum), lane) / p.length;
    var squares = E();
    for (var i = lane; i < p.n; i += LANES) {
        let d = x[start + i] - mean;
        squares += d * d;
    }
    return vec2f(mean, 1.0 / sqrt(across(sum_of(squares), lane) / p.length + p.eps));
}
