// softmax(q·kᵀ·scale)·v of one query and head by an invocation, streamed over the keys: what was summed under an older
// maximum is rescaled. lse is the logarithm of the sum of exponentials; a query that sees nothing has 0 for both.

#import element
#import attention_mask

@group(0) @binding(1) var<storage, read> q: array<E>;
@group(0) @binding(2) var<storage, read> k: array<E>;
@group(0) @binding(3) var<storage, read> v: array<E>;
@group(0) @binding(4) var<storage, read> tokens: array<vec2i>;
@group(0) @binding(5) var<storage, read_write> y: array<E>;
@group(0) @binding(6) var<storage, read_write> lse: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) id: vec3u) {
    let at = p.first + id.x;
    if (at >= p.count) {
        return;
    }
    let query = at % p.queries;
    let head = at / p.queries;
    let start = (query * p.heads + head) * STEPS;
    let kv_head = head / (p.heads / p.kv_heads);
    let token = tokens[query];
    var mine: array<E, STEPS>;
    var sums: array<E, STEPS>;
    for (var i = 0u; i < STEPS; i++) {
        mine[i] = q[start + i] * p.scale;
        sums[i] = E();
    }
    var top = -3.4e38;
    var total = 0.0;
    let first_key = query / p.tq * p.tk;
    for (var key = first_key; key < first_key + p.tk; key++) {
        if (!visible(token, tokens[p.queries + key])) {
            continue;
        }
        let from_key = (key * p.kv_heads + kv_head) * STEPS;
        var products = E();
        for (var i = 0u; i < STEPS; i++) {
            products += mine[i] * k[from_key + i];
        }
        let score = sum_of(products);
        if (score > top) {
            let shrink = exp(top - score);
            top = score;
            total *= shrink;
            for (var i = 0u; i < STEPS; i++) {
                sums[i] *= shrink;
            }
        }
        let weight = exp(score - top);
        total += weight;
        for (var i = 0u; i < STEPS; i++) {
            sums[i] += weight * v[from_key + i];
        }
    }
    if (total == 0.0) {
        for (var i = 0u; i < STEPS; i++) {
            y[start + i] = E();
        }
        lse[query * p.heads + head] = 0.0;
        return;
    }
    for (var i = 0u; i < STEPS; i++) {
        y[start + i] = sums[i] / total;
    }
    lse[query * p.heads + head] = top + log(total);
}
