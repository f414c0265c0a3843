// With r = 1/sqrt(mean(x²) + eps) and g = dy · (weight + offset): dx = r · (g - x · r² · mean(g·x)).

#import element
#import lanes

struct Params {
    first: u32,
    rows: u32,
    n: u32,      // elements, or groups of four, of a row
    length: f32, // elements of a row
    eps: f32,
    offset: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<E>;
@group(0) @binding(2) var<storage, read> weight: array<E>;
@group(0) @binding(3) var<storage, read> dy: array<E>;
@group(0) @binding(4) var<storage, read_write> dx: array<E>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
    let row = p.first + row_of(id.x, group.x);
    let lane = lane_of(local);
    if (row >= p.rows) {
        return;
    }
    let start = row * p.n;
    var squares = E();
    var products = E();
    for (var i = lane; i < p.n; i += LANES) {
        let v = x[start + i];
        squares += v * v;
        products += dy[start + i] * (weight[i] + p.offset) * v;
    }
    let r = 1.0 / sqrt(across(sum_of(squares), lane) / p.length + p.eps);
    let k = across(sum_of(products), lane) / p.length * r * r;
    for (var i = lane; i < p.n; i += LANES) {
        dx[start + i] = r * (dy[start + i] * (weight[i] + p.offset) - x[start + i] * k);
    }
}
