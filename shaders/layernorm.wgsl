// y = (x - mean(x)) / sqrt(var(x) + eps) · weight + bias for each row of x [rows, n].

#import row_moments

@group(0) @binding(2) var<storage, read> weight: array<E>;
@group(0) @binding(3) var<storage, read> bias: array<E>;
@group(0) @binding(4) var<storage, read_write> y: array<E>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
    let row = p.first + row_of(id.x, group.x);
    let lane = lane_of(local);
    if (row >= p.rows) {
        return;
    }
    let start = row * p.n;
    let m = moments(start, lane);
    for (var i = lane; i < p.n; i += LANES) {
        y[start + i] = (x[start + i] - m.x) * m.y * weight[i] + bias[i];
    }
}
