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

var<workgroup> mine: array<E, ROW_TILE>;
var<workgroup> tile: array<E, COL_TILE>; // of keys, then of values
var<workgroup> scores: array<f32, PAIRS>; // then weights

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) t: u32) {
    let at = p.first + group.x;
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
        mine[row * STRIDE + j % STEPS] = e;
    }
    let row = t / PER_ROW;
    let lane = t % PER_ROW;
    let query = batch * p.tq + block + row;
    var token = vec2i();
    if (block + row < p.tq) {
        token = tokens[query];
    }
    var top = MASKED;
    var total = 0.0;
    var sums: array<E, HELD>;
    for (var h = 0u; h < HELD; h++) {
        sums[h] = E();
    }
    for (var first = 0u; first < p.tk; first += COLS) {
        var sees = 0u; // bit i: key lane + i · PER_ROW of the tile
        for (var i = 0u; lane + i * PER_ROW < COLS; i++) {
            let key = first + lane + i * PER_ROW;
            if (key < p.tk) {
                if (visible(token, tokens[p.queries + batch * p.tk + key])) {
                    sees |= 1u << i;
                }
            }
        }
        if (!tile_matters(sees, t)) {
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
        for (var i = 0u; lane + i * PER_ROW < COLS; i++) {
            let key = lane + i * PER_ROW;
            var score = MASKED;
            if ((sees & (1u << i)) != 0u) {
                var products = E();
                for (var d = 0u; d < STEPS; d++) {
                    products += mine[row * STRIDE + d] * tile[key * STRIDE + d];
                }
                score = sum_of(products);
            }
            scores[row * COLS + key] = score;
        }
        workgroupBarrier();
        var high = top;
        for (var key = 0u; key < COLS; key++) {
            high = max(high, scores[row * COLS + key]);
        }
        let shrink = exp(top - high);
        top = high;
        total *= shrink;
        for (var h = 0u; h < HELD; h++) {
            sums[h] *= shrink;
        }
        workgroupBarrier();
        for (var key = lane; key < COLS; key += PER_ROW) {
            let score = scores[row * COLS + key];
            scores[row * COLS + key] = select(exp(score - top), 0.0, score == MASKED);
        }
        for (var j = t; j < COLS * STEPS; j += 64u) {
            let key = j / STEPS;
            if (first + key < p.tk) {
                tile[key * STRIDE + j % STEPS] = v[from_key + key * p.kv_heads * STEPS + j % STEPS];
            }
        }
        workgroupBarrier();
        for (var key = 0u; key < COLS; key++) {
            let weight = scores[row * COLS + key];
            if (weight == 0.0) {
                continue;
            }
            total += weight;
            for (var h = 0u; h < HELD; h++) {
                sums[h] += weight * tile[key * STRIDE + min(lane + h * PER_ROW, STEPS - 1u)];
            }
        }
    }
    if (block + row >= p.tq) {
        return;
    }
    let nothing = total == 0.0;
    for (var h = 0u; h < HELD; h++) {
        let d = lane + h * PER_ROW;
        if (d < STEPS) {
            y[(query * p.heads + head) * STEPS + d] = select(sums[h] / total, E(), nothing);
        }
    }
    if (lane == 0u) {
        lse[query * p.heads + head] = select(top + log(total), 0.0, nothing);
    }
}
