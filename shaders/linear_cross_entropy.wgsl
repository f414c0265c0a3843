// Takes some columns of the logits into the running statistics of each row: its largest logit (in lse), the sum of
// exp(logit − largest), and the logit of its target (in nll). After the last columns nll and lse are what their names
// say, and 0 for a row without a target.
//
// FIRST: nothing has been taken in yet. LAST: nothing follows.

#import element
#import lanes

struct Params {
    first: u32,
    rows: u32,
    n: u32,      // columns, or groups of four
    length: f32,
    first_col: u32,
    columns: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> logits: array<E>;
@group(0) @binding(2) var<storage, read> targets: array<i32>;
@group(0) @binding(3) var<storage, read_write> nll: array<f32>;
@group(0) @binding(4) var<storage, read_write> lse: array<f32>;
@group(0) @binding(5) var<storage, read_write> sums: array<f32>;

fn logit(row: u32, col: u32) -> f32 {
#ifdef VEC4
    return logits[row * p.n + col / 4u][col % 4u];
#else
    return logits[row * p.n + col];
#endif
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
    let row = p.first + row_of(id.x, group.x);
    let lane = lane_of(local);
    if (row >= p.rows) {
        return;
    }
    let start = row * p.n;
    var top = logits[start];
    for (var i = lane; i < p.n; i += LANES) {
        top = max(top, logits[start + i]);
    }
    var largest = across_max(max_of(top), lane);
    var parts = E();
    for (var i = lane; i < p.n; i += LANES) {
        parts += exp(logits[start + i] - largest);
    }
    var sum = across(sum_of(parts), lane);
    if (lane > 0u) {
        return;
    }
    let chosen = targets[row];
    var picked = 0.0;
#ifdef FIRST
#else
    let before = lse[row];
    let either = max(before, largest);
    sum = sums[row] * exp(before - either) + sum * exp(largest - either);
    largest = either;
    picked = nll[row];
#endif
    if (chosen >= 0 && u32(chosen) >= p.first_col && u32(chosen) < p.first_col + p.columns) {
        picked = logit(row, u32(chosen) - p.first_col);
    }
#ifdef LAST
    let total = largest + log(sum);
    lse[row] = select(0.0, total, chosen >= 0);
    nll[row] = select(0.0, total - picked, chosen >= 0);
#else
    lse[row] = largest;
    sums[row] = sum;
    nll[row] = picked;
#endif
}
