// With r = 1/sqrt(var + eps), z = (x - mean)·r and g = dy·weight: dx = r·(g - mean(g) - z·mean(g·z)).

#import row_moments

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
    let m = moments(start, lane);
    var sum = E();
    var products = E();
    for (var i = lane; i < p.n; i += LANES) {
        let g = dy[start + i] * weight[i];
        sum += g;
        products += g * ((x[start + i] - m.x) * m.y);
    }
    let g_mean = across(sum_of(sum), lane) / p.length;
    let gz_mean = across(sum_of(products), lane) / p.length;
    for (var i = lane; i < p.n; i += LANES) {
        let z = (x[start + i] - m.x) * m.y;
        dx[start + i] = m.y * (dy[start + i] * weight[i] - g_mean - z * gz_mean);
    }
}
