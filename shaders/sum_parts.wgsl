// Invocation i of count adds up elements i, i + count, i + 2·count, … of x or, with SQUARES, their squares.

#import element

struct Params {
    first: u32,
    count: u32, // invocations
    n: u32,     // elements, or groups of four
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> parts: array<f32>;
@group(0) @binding(2) var<storage, read> x: array<E>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
    let i = p.first + id.x;
    if (i >= p.count) {
        return;
    }
    var sum = E();
    for (var j = i; j < p.n; j += p.count) {
#ifdef SQUARES
        sum += x[j] * x[j];
#else
        sum += x[j];
#endif
    }
    parts[i] = sum_of(sum);
}
