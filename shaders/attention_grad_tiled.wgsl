// The gradients of attention by workgroups: without FOR_KEYS, dq of ROWS queries of a head, against tiles of COLS keys;
// with FOR_KEYS, dk and dv of ROWS keys of a key/value head, against tiles of COLS queries of every head that reads it.
// With w = exp(score - lse) and ds = w · (dy·v - Σ dy·y): dq = scale · Σ ds · k, dk = scale · Σ ds · q, dv = Σ w · dy.
//
// A tile is first of v or dy, then of k or q and, where dv is summed, once more of dy.

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

// Of four rows, for each column and group.
var<workgroup> ds: array<vec4f, PAIRS>;
#ifdef FOR_KEYS
var<workgroup> ws: array<vec4f, PAIRS>;
#endif

// Row `row` of the batch of what the workgroup has rows of, and of what it has columns of: where its vector begins.
fn own_at(batch: u32, row: u32, head: u32) -> u32 {
#ifdef FOR_KEYS
    return ((batch * p.tk + row) * p.kv_heads + head) * STEPS;
#else
    return ((batch * p.tq + row) * p.heads + head) * STEPS;
#endif
}

fn other_at(batch: u32, row: u32, head: u32) -> u32 {
#ifdef FOR_KEYS
    return ((batch * p.tq + row) * p.heads + head) * STEPS;
#else
    return ((batch * p.tk + row) * p.kv_heads + head) * STEPS;
#endif
}

fn own_token(batch: u32, row: u32, there: bool) -> vec2i {
    if (!there) {
        return vec2i();
    }
#ifdef FOR_KEYS
    return tokens[p.queries + batch * p.tk + row];
#else
    return tokens[batch * p.tq + row];
#endif
}

fn sees_pair(own_token: vec2i, other_token: vec2i, there: bool) -> bool {
#ifdef FOR_KEYS
    return there && visible(other_token, own_token);
#else
    return there && visible(own_token, other_token);
#endif
}

// lse and Σ dy·y of a row of queries, zeros behind their end.
fn forward(batch: u32, query: u32, head: u32) -> vec2f {
    if (query < p.tq) {
        return rows[(batch * p.tq + query) * p.heads + head];
    }
    return vec2f();
}

// Writes what row i of the invocation's four has come to.
fn finish(to: u32, lane: u32, i: u32, there: bool) {
    for (var h = 0u; h < HELD; h++) {
        let s = lane + h * LANES;
        if (there && s < STEPS) {
#ifdef FOR_KEYS
            dk[to + s] = results[4u * h + i] * p.scale;
            dv[to + s] = results[SECOND + 4u * h + i];
#else
            dq[to + s] = results[4u * h + i] * p.scale;
#endif
        }
    }
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) t: u32) {
    let at = p.first + workgroup.x;
    if (at >= p.count) {
        return;
    }
#ifdef FOR_KEYS
    let own_heads = p.kv_heads;
    let length = p.tk;
    let others = p.tq;
#else
    let own_heads = p.heads;
    let length = p.tq;
    let others = p.tk;
#endif
    let blocks = (length + ROWS - 1u) / ROWS;
    let block = at % blocks * ROWS;
    let own_head = at / blocks % own_heads;
    let batch = at / blocks / own_heads;
    let readers = p.heads / p.kv_heads;
    for (var j = t; j < ROWS * STEPS; j += 64u) {
        let row = j / STEPS;
        if (block + row < length) {
            let from_row = own_at(batch, block + row, own_head) + j % STEPS;
            let to = row * STRIDE + j % STEPS;
#ifdef FOR_KEYS
            own[to] = k[from_row] * p.scale;
            own[ROWS * STRIDE + to] = v[from_row];
#else
            own[to] = q[from_row] * p.scale;
            own[ROWS * STRIDE + to] = dy[from_row];
#endif
        }
    }
    let group = t / LANES;
    let lane = t % LANES;
    let row = block + 4u * group;
    let there = vec4u(row, row + 1u, row + 2u, row + 3u) < vec4u(length);
    let token_a = own_token(batch, row, there.x);
    let token_b = own_token(batch, row + 1u, there.y);
    let token_c = own_token(batch, row + 2u, there.z);
    let token_d = own_token(batch, row + 3u, there.w);
    for (var i = 0u; i < RESULTS; i++) {
        results[i] = E();
    }
#ifdef FOR_KEYS
    for (var head = own_head * readers; head < (own_head + 1u) * readers; head++) {
    let other_head = head;
#else
    let head = own_head;
    let other_head = own_head / readers;
    let forward_a = forward(batch, row, head);
    let forward_b = forward(batch, row + 1u, head);
    let forward_c = forward(batch, row + 2u, head);
    let forward_d = forward(batch, row + 3u, head);
    let row_lse = vec4f(forward_a.x, forward_b.x, forward_c.x, forward_d.x);
    let row_delta = vec4f(forward_a.y, forward_b.y, forward_c.y, forward_d.y);
    {
#endif
    for (var first = 0u; first < others; first += COLS) {
        let col = first + lane;
        var sees = vec4<bool>();
        if (lane < COLS && col < others) {
#ifdef FOR_KEYS
            let token = tokens[batch * others + col];
#else
            let token = tokens[p.queries + batch * others + col];
#endif
            sees = vec4<bool>(sees_pair(token_a, token, there.x), sees_pair(token_b, token, there.y),
                sees_pair(token_c, token, there.z), sees_pair(token_d, token, there.w));
        }
        if (!tile_matters(any(sees), t)) {
            continue;
        }
        for (var j = t; j < COLS * STEPS; j += 64u) {
            let c = j / STEPS;
            if (first + c < others) {
#ifdef FOR_KEYS
                tile[c * STRIDE + j % STEPS] = dy[other_at(batch, first + c, other_head) + j % STEPS];
#else
                tile[c * STRIDE + j % STEPS] = v[other_at(batch, first + c, other_head) + j % STEPS];
#endif
            }
        }
        workgroupBarrier();
        var dw = vec4f();
        if (any(sees)) {
            dw = products((ROWS + 4u * group) * STRIDE, lane)[0];
        }
        workgroupBarrier();
        for (var j = t; j < COLS * STEPS; j += 64u) {
            let c = j / STEPS;
            if (first + c < others) {
#ifdef FOR_KEYS
                tile[c * STRIDE + j % STEPS] = q[other_at(batch, first + c, other_head) + j % STEPS];
#else
                tile[c * STRIDE + j % STEPS] = k[other_at(batch, first + c, other_head) + j % STEPS];
#endif
            }
        }
        workgroupBarrier();
        if (lane < COLS) {
            var w = vec4f();
            var d = vec4f();
            if (any(sees)) {
                let score = products(4u * group * STRIDE, lane)[0];
#ifdef FOR_KEYS
                let of_col = forward(batch, col, head);
                let row_lse = vec4f(of_col.x);
                let row_delta = vec4f(of_col.y);
#endif
                w = select(vec4f(), exp(score - row_lse), sees);
                d = select(vec4f(), w * (dw - row_delta), sees);
            }
            ds[lane * GROUPS + group] = d;
#ifdef FOR_KEYS
            ws[lane * GROUPS + group] = w;
#endif
        }
        workgroupBarrier();
        for (var c = 0u; c < COLS; c++) {
            add_column(0u, ds[c * GROUPS + group], c, lane);
        }
#ifdef FOR_KEYS
        workgroupBarrier();
        for (var j = t; j < COLS * STEPS; j += 64u) {
            let c = j / STEPS;
            if (first + c < others) {
                tile[c * STRIDE + j % STEPS] = dy[other_at(batch, first + c, other_head) + j % STEPS];
            }
        }
        workgroupBarrier();
        for (var c = 0u; c < COLS; c++) {
            add_column(SECOND, ws[c * GROUPS + group], c, lane);
        }
#endif
    }
    }
    finish(own_at(batch, row, own_head), lane, 0u, there.x);
    finish(own_at(batch, row + 1u, own_head), lane, 1u, there.y);
    finish(own_at(batch, row + 2u, own_head), lane, 2u, there.z);
    finish(own_at(batch, row + 3u, own_head), lane, 3u, there.w);
}
