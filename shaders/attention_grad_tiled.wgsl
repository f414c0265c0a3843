// The gradients of attention by workgroups: without FOR_KEYS, dq of ROWS queries of a head, against tiles of COLS keys;
// with FOR_KEYS, dk and dv of ROWS keys of a key/value head, against tiles of COLS queries of every head that reads it.
// With w = exp(score - lse) and ds = w · (dy·v - Σ dy·y): dq = scale · Σ ds · k, dk = scale · Σ ds · q, dv = Σ w · dy.

#import attention_tiles

@group(0) @binding(1) var<storage, read> q: array<E>;
@group(0) @binding(2) var<storage, read> k: array<E>;
@group(0) @binding(3) var<storage, read> v: array<E>;
@group(0) @binding(4) var<storage, read> tokens: array<vec2i>;
@group(0) @binding(5) var<storage, read> rows: array<vec2f>; // lse and Σ dy·y
@group(0) @binding(6) var<storage, read> dy: array<E>;
#ifdef FOR_KEYS
@group(0) @binding(7) var<storage, read_write> dk: array<E>;
@group(0) @binding(8) var<storage, read_write> dv: array<E>;
#else
@group(0) @binding(7) var<storage, read_write> dq: array<E>;
#endif

var<workgroup> row_qk: array<E, ROW_TILE>; // of q, or of k
var<workgroup> row_dv: array<E, ROW_TILE>; // of dy, or of v
var<workgroup> col_qk: array<E, COL_TILE>; // of k, or of q
var<workgroup> col_dv: array<E, COL_TILE>; // of v, or of dy
var<workgroup> ds: array<f32, PAIRS>;
#ifdef FOR_KEYS
var<workgroup> ws: array<f32, PAIRS>;
#endif

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) t: u32) {
    let at = p.first + group.x;
    if (at >= p.count) {
        return;
    }
#ifdef FOR_KEYS
    let own_heads = p.kv_heads;
    let own = p.tk;
    let others = p.tq;
#else
    let own_heads = p.heads;
    let own = p.tq;
    let others = p.tk;
#endif
    let blocks = (own + ROWS - 1u) / ROWS;
    let block = at % blocks * ROWS;
    let own_head = at / blocks % own_heads;
    let batch = at / blocks / own_heads;
    let readers = p.heads / p.kv_heads;
    for (var j = t; j < ROWS * STEPS; j += 64u) {
        let row = j / STEPS;
        if (block + row < own) {
            let from_row = ((batch * own + block + row) * own_heads + own_head) * STEPS + j % STEPS;
#ifdef FOR_KEYS
            row_qk[row * STRIDE + j % STEPS] = k[from_row] * p.scale;
            row_dv[row * STRIDE + j % STEPS] = v[from_row];
#else
            row_qk[row * STRIDE + j % STEPS] = q[from_row] * p.scale;
            row_dv[row * STRIDE + j % STEPS] = dy[from_row];
#endif
        }
    }
    let row = t / PER_ROW;
    let lane = t % PER_ROW;
    let own_row = batch * own + block + row;
    let there = block + row < own;
    var token = vec2i();
    if (there) {
#ifdef FOR_KEYS
        token = tokens[p.queries + own_row];
#else
        token = tokens[own_row];
#endif
    }
    var qk_sums: array<E, HELD>;
    for (var h = 0u; h < HELD; h++) {
        qk_sums[h] = E();
    }
#ifdef FOR_KEYS
    var dv_sums: array<E, HELD>;
    for (var h = 0u; h < HELD; h++) {
        dv_sums[h] = E();
    }
    for (var head = own_head * readers; head < (own_head + 1u) * readers; head++) {
#else
    let head = own_head;
    let kv_head = own_head / readers;
    {
#endif
    for (var first = 0u; first < others; first += COLS) {
        var sees = 0u; // bit i: column lane + i · PER_ROW of the tile
        for (var i = 0u; lane + i * PER_ROW < COLS; i++) {
            let col = first + lane + i * PER_ROW;
            if (there && col < others) {
#ifdef FOR_KEYS
                let sight = visible(tokens[batch * others + col], token);
#else
                let sight = visible(token, tokens[p.queries + batch * others + col]);
#endif
                if (sight) {
                    sees |= 1u << i;
                }
            }
        }
        if (!tile_matters(sees, t)) {
            continue;
        }
        for (var j = t; j < COLS * STEPS; j += 64u) {
            let col = j / STEPS;
            if (first + col < others) {
#ifdef FOR_KEYS
                let from_col = ((batch * others + first + col) * p.heads + head) * STEPS + j % STEPS;
                col_qk[col * STRIDE + j % STEPS] = q[from_col];
                col_dv[col * STRIDE + j % STEPS] = dy[from_col];
#else
                let from_col = ((batch * others + first + col) * p.kv_heads + kv_head) * STEPS + j % STEPS;
                col_qk[col * STRIDE + j % STEPS] = k[from_col];
                col_dv[col * STRIDE + j % STEPS] = v[from_col];
#endif
            }
        }
        workgroupBarrier();
        for (var i = 0u; lane + i * PER_ROW < COLS; i++) {
            let col = lane + i * PER_ROW;
            var w = 0.0;
            var d = 0.0;
            if ((sees & (1u << i)) != 0u) {
                var score = E();
                var dw = E();
                for (var s = 0u; s < STEPS; s++) {
                    score += row_qk[row * STRIDE + s] * col_qk[col * STRIDE + s];
                    dw += row_dv[row * STRIDE + s] * col_dv[col * STRIDE + s];
                }
#ifdef FOR_KEYS
                let forward = rows[(batch * others + first + col) * p.heads + head];
#else
                let forward = rows[own_row * p.heads + head];
#endif
                w = exp(sum_of(score) - forward.x);
                d = w * (sum_of(dw) - forward.y);
            }
            ds[row * COLS + col] = d;
#ifdef FOR_KEYS
            ws[row * COLS + col] = w;
#endif
        }
        workgroupBarrier();
        for (var col = 0u; col < COLS; col++) {
            let d = ds[row * COLS + col];
            if (!(d == 0.0)) { // NaN included: != may leave it out
                for (var h = 0u; h < HELD; h++) {
                    qk_sums[h] += d * col_qk[col * STRIDE + min(lane + h * PER_ROW, STEPS - 1u)];
                }
            }
#ifdef FOR_KEYS
            let w = ws[row * COLS + col];
            if (!(w == 0.0)) {
                for (var h = 0u; h < HELD; h++) {
                    dv_sums[h] += w * col_dv[col * STRIDE + min(lane + h * PER_ROW, STEPS - 1u)];
                }
            }
#endif
        }
    }
    }
    if (!there) {
        return;
    }
    for (var h = 0u; h < HELD; h++) {
        let d = lane + h * PER_ROW;
        if (d < STEPS) {
            let to = (own_row * own_heads + own_head) * STEPS + d;
#ifdef FOR_KEYS
            dk[to] = qk_sums[h] * p.scale;
            dv[to] = dv_sums[h];
#else
            dq[to] = qk_sums[h] * p.scale;
#endif
        }
    }
}
