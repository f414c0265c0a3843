// dq of one query and head by an invocation. With w = exp(score - lse): dq = scale · Σ w · (dy·v - Σ dy·y) · k.

#import element
#import attention_mask

@group(0) @binding(1) var<storage, read> q: array<E>;
@group(0) @binding(2) var<storage, read> k: array<E>;
@group(0) @binding(3) var<storage, read> v: array<E>;
@group(0) @binding(4) var<storage, read> tokens: array<vec2i>;
@group(0) @binding(5) var<storage, read> rows: array<vec2f>; // lse and Σ dy·y
@group(0) @binding(6) var<storage, read> dy: array<E>;
@group(0) @binding(7) var<storage, read_write> dq: array<E>;

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
    let row = rows[query * p.heads + head];
    var mine: array<E, STEPS>;
    var above: array<E, STEPS>;
    var sums: array<E, STEPS>;
    for (var i = 0u; i < STEPS; i++) {
        mine[i] = q[start + i] * p.scale;
        above[i] = dy[start + i];
        sums[i] = E();
    }
    let first_key = query / p.tq * p.tk;
    for (var key = first_key; key < first_key + p.tk; key++) {
        if (!visible(token, tokens[p.queries + key])) {
            continue;
        }
        let from_key = (key * p.kv_heads + kv_head) * STEPS;
        var score = E();
        var dw = E();
        for (var i = 0u; i < STEPS; i++) {
            score += mine[i] * k[from_key + i];
            dw += above[i] * v[from_key + i];
        }
        let ds = exp(sum_of(score) - row.x) * (sum_of(dw) - row.y);
        for (var i = 0u; i < STEPS; i++) {
            sums[i] += ds * k[from_key + i];
        }
    }
    for (var i = 0u; i < STEPS; i++) {
        dq[start + i] = sums[i] * p.scale;
    }
}
