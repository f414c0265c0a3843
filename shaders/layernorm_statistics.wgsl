// Mean and 1/sqrt(var + eps) of each row, for the gradient of the weight.

#import row_moments

@group(0) @binding(2) var<storage, read_write> statistics: array<vec2f>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
    let row = p.first + row_of(id.x, group.x);
    let lane = lane_of(local);
    if (row >= p.rows) {
        return;
    }
    let m = moments(row * p.n, lane);
    if (lane == 0u) {
        statistics[row] = m;
    }
}
