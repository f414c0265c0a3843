// softmax(q·kᵀ·scale)·v for ROWS queries of a head by a workgroup, streamed over tiles of COLS keys: the shape of
// attention.wgsl for GPUs, where memory is read by neighbours and shared in the workgroup. Tiles that no query sees are
// passed over.

#import attention_tiles

@group(0) @binding(1) var<storage, read> q: array<E>;
@group(0) @binding(2) var<storage, read> k: array<E>;
@group(0) @binding(3) var<storage, read> v: array<E>;
@group(0) @binding(4) var<storage, read> tokens: array<vec2i>;
@group(0) @binding(5) var<storage, read_write> y: array<E>;
@group(0) @binding(6) var<storage, read_write> lse: array<f32>;

const MASKED: f32 = -3.4e38;

var<workgroup> highest: array<vec4f, 64>;
var<workgroup> weights: array<vec4f, PAIRS>; // of four queries, for each key and group

// Segment and position of a query of a batch row; behind the last padding, which sees nothing.
fn token_of(batch: u32, row: u32) -> vec2i {
    if (row < p.tq) {
        return tokens[batch * p.tq + row];
    }
    return vec2i();
}

// Writes what row i of the invocation's four has come to.
fn finish(batch: u32, row: u32, head: u32, lane: u32, i: u32, top: f32, total: f32) {
    if (row >= p.tq) {
        return;
    }
    let query = (batch * p.tq + row) * p.heads + head;
    let nothing = total == 0.0;
    for (var h = 0u; h < HELD; h++) {
        let d = lane + h * LANES;
        if (d < STEPS) {
            y[query * STEPS + d] = select(results[4u * h + i] / total, E(), nothing);
        }
    }
    if (lane == 0u) {
        lse[query] = select(top + log(total), 0.0, nothing);
    }
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) t: u32) {
    let at = p.first + workgroup.x;
    if (at >= p.count) {
        return;
    }
    let blocks = (p.tq + ROWS - 1u) / ROWS;
    let block = at % blocks * ROWS;
    let head = at / blocks % p.heads;
    let batch = at / blocks / p.heads;
    let kv_head = head / (p.heads / p.kv_heads);
    for (var j = t; j < ROWS * STEPS; j += 64u) {
        let row = j / STEPS;
        var e = E();
        if (block + row < p.tq) {
            e = q[((batch * p.tq + block + row) * p.heads + head) * STEPS + j % STEPS] * p.scale;
        }
        own[row * STRIDE + j % STEPS] = e;
    }
    let group = t / LANES;
    let lane = t % LANES;
    let row = block + 4u * group;
    let token_a = token_of(batch, row);
    let token_b = token_of(batch, row + 1u);
    let token_c = token_of(batch, row + 2u);
    let token_d = token_of(batch, row + 3u);
    var top = vec4f(MASKED);
    var total = vec4f();
    for (var i = 0u; i < RESULTS; i++) {
        results[i] = E();
    }
    for (var first = 0u; first < p.tk; first += COLS) {
        var sees = vec4<bool>();
        if (lane < COLS && first + lane < p.tk) {
            let key = tokens[p.queries + batch * p.tk + first + lane];
            sees = vec4<bool>(visible(token_a, key), visible(token_b, key), visible(token_c, key), visible(token_d, key));
        }
        var sees_next = vec4<bool>();
#ifdef TWO_COLS
        if (first + lane + LANES < p.tk) {
            let key = tokens[p.queries + batch * p.tk + first + lane + LANES];
            sees_next = vec4<bool>(visible(token_a, key), visible(token_b, key), visible(token_c, key), visible(token_d, key));
        }
#endif
        if (!tile_matters(any(sees) || any(sees_next), t)) {
            continue;
        }
        let from_key = ((batch * p.tk + first) * p.kv_heads + kv_head) * STEPS;
        for (var j = t; j < COLS * STEPS; j += 64u) {
            let key = j / STEPS;
            if (first + key < p.tk) {
                tile[key * STRIDE + j % STEPS] = k[from_key + key * p.kv_heads * STEPS + j % STEPS];
            }
        }
        workgroupBarrier();
        var scores = mat2x4f();
        if (any(sees) || any(sees_next)) {
            scores = products(4u * group * STRIDE, lane);
        }
        let score = select(vec4f(MASKED), scores[0], sees);
        let score_next = select(vec4f(MASKED), scores[1], sees_next);
        highest[t] = max(score, score_next);
        workgroupBarrier();
        var high = top;
        for (var i = 0u; i < min(LANES, COLS); i++) {
            high = max(high, highest[group * LANES + i]);
        }
        let shrink = exp(top - high);
        top = high;
        total *= shrink;
        for (var h = 0u; h < HELD; h++) {
            results[4u * h] *= shrink.x;
            results[4u * h + 1u] *= shrink.y;
            results[4u * h + 2u] *= shrink.z;
            results[4u * h + 3u] *= shrink.w;
        }
        if (lane < COLS) {
            weights[lane * GROUPS + group] = select(vec4f(), exp(score - top), sees);
        }
#ifdef TWO_COLS
        weights[(lane + LANES) * GROUPS + group] = select(vec4f(), exp(score_next - top), sees_next);
#endif
        for (var j = t; j < COLS * STEPS; j += 64u) {
            let key = j / STEPS;
            if (first + key < p.tk) {
                tile[key * STRIDE + j % STEPS] = v[from_key + key * p.kv_heads * STEPS + j % STEPS];
            }
        }
        workgroupBarrier();
        for (var key = 0u; key < COLS; key++) {
            let weight = weights[key * GROUPS + group];
            total += weight;
            add_column(0u, weight, key, lane);
        }
    }
    finish(batch, row, head, lane, 0u, top.x, total.x);
    finish(batch, row + 1u, head, lane, 1u, top.y, total.y);
    finish(batch, row + 2u, head, lane, 2u, top.z, total.z);
    finish(batch, row + 3u, head, lane, 3u, top.w, total.w);
}
