// dk and dv of one key and key/value head by an invocation, summed over the queries of the heads that read it. With
// w = exp(score - lse): dv = Σ w · dy, dk = scale · Σ w · (dy·v - Σ dy·y) · q.

#import element
#import attention_mask

@group(0) @binding(1) var<storage, read> q: array<E>;
@group(0) @binding(2) var<storage, read> k: array<E>;
@group(0) @binding(3) var<storage, read> v: array<E>;
@group(0) @binding(4) var<storage, read> tokens: array<vec2i>;
@group(0) @binding(5) var<storage, read> rows: array<vec2f>; // lse and Σ dy·y
@group(0) @binding(6) var<storage, read> dy: array<E>;
@group(0) @binding(7) var<storage, read_write> dk: array<E>;
@group(0) @binding(8) var<storage, read_write> dv: array<E>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) id: vec3u) {
    let at = p.first + id.x;
    if (at >= p.count) {
        return;
    }
    let key = at % p.keys;
    let kv_head = at / p.keys;
    let group = p.heads / p.kv_heads;
    let start = (key * p.kv_heads + kv_head) * STEPS;
    let token = tokens[p.queries + key];
    var mine: array<E, STEPS>;
    var value: array<E, STEPS>;
    var dk_sums: array<E, STEPS>;
    var dv_sums: array<E, STEPS>;
    for (var i = 0u; i < STEPS; i++) {
        mine[i] = k[start + i] * p.scale;
        value[i] = v[start + i];
        dk_sums[i] = E();
        dv_sums[i] = E();
    }
    let first_query = key / p.tk * p.tq;
    for (var query = first_query; query < first_query + p.tq; query++) {
        if (!visible(tokens[query], token)) {
            continue;
        }
        for (var head = kv_head * group; head < (kv_head + 1u) * group; head++) {
            let at_row = query * p.heads + head;
            let from_query = at_row * STEPS;
            let row = rows[at_row];
            var score = E();
            var dw = E();
            for (var i = 0u; i < STEPS; i++) {
                score += mine[i] * q[from_query + i];
                dw += value[i] * dy[from_query + i];
            }
            let w = exp(sum_of(score) - row.x);
            let ds = w * (sum_of(dw) - row.y);
            for (var i = 0u; i < STEPS; i++) {
                dk_sums[i] += ds * q[from_query + i];
                dv_sums[i] += w * dy[from_query + i];
            }
        }
    }
    for (var i = 0u; i < STEPS; i++) {
        dk[start + i] = dk_sums[i] * p.scale;
        dv[start + i] = dv_sums[i];
    }
}
