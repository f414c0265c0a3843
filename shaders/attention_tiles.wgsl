// What the tiled kernels of attention share: a workgroup of 64 takes ROWS rows (queries, or keys) of a head against COLS
// columns (keys, or queries) at a time. Its GROUPS groups of LANES invocations have four rows each. Of a tile an invocation
// computes the pairs of its rows with column lane and, with TWO_COLS, lane + LANES; of the results, elements lane + h · LANES,
// h < HELD. Vectors lie in workgroup memory STRIDE apart, one more than their STEPS, so that neighbours lie in other banks.

#import element
#import attention_mask

var<workgroup> any_sees: atomic<u32>;
var<workgroup> some_see: u32;

// Whether anyone in the workgroup sees anything of a tile. All invocations have to ask.
fn tile_matters(sees: bool, t: u32) -> bool {
    if (t == 0u) {
        atomicStore(&any_sees, 0u);
    }
    workgroupBarrier();
    if (sees) {
        atomicStore(&any_sees, 1u);
    }
    workgroupBarrier();
    if (t == 0u) {
        some_see = atomicLoad(&any_sees);
    }
    return workgroupUniformLoad(&some_see) != 0u;
}

var<workgroup> own: array<E, ROW_TILE>;
var<workgroup> tile: array<E, COL_TILE>;

// The products of four rows, which lie in own from vector `begin` on, with the invocation's columns of the tile.
fn products(begin: u32, lane: u32) -> mat2x4f {
    var a = E();
    var b = E();
    var c = E();
    var d = E();
#ifdef TWO_COLS
    var e = E();
    var f = E();
    var g = E();
    var h = E();
#endif
    for (var s = 0u; s < STEPS; s++) {
        let row_a = own[begin + s];
        let row_b = own[begin + STRIDE + s];
        let row_c = own[begin + 2u * STRIDE + s];
        let row_d = own[begin + 3u * STRIDE + s];
        let col = tile[lane * STRIDE + s];
        a += row_a * col;
        b += row_b * col;
        c += row_c * col;
        d += row_d * col;
#ifdef TWO_COLS
        let next = tile[(lane + LANES) * STRIDE + s];
        e += row_a * next;
        f += row_b * next;
        g += row_c * next;
        h += row_d * next;
#endif
    }
    let first = vec4f(sum_of(a), sum_of(b), sum_of(c), sum_of(d));
#ifdef TWO_COLS
    return mat2x4f(first, vec4f(sum_of(e), sum_of(f), sum_of(g), sum_of(h)));
#else
    return mat2x4f(first, vec4f());
#endif
}

// The results of four rows so far: element lane + h · LANES of row i is results[4·h + i]; of a second result of the kernel,
// SECOND further on.
var<private> results: array<E, RESULTS>;

// Adds column col of the tile, weighted, to the results from `to` on. A row that does not see it stays out of it: what lies
// there may not be a number.
fn add_column(to: u32, weights: vec4f, col: u32, lane: u32) {
    let none = weights == vec4f();
    if (all(none)) {
        return;
    }
    for (var h = 0u; h < HELD; h++) {
        let v = tile[col * STRIDE + min(lane + h * LANES, STEPS - 1u)];
        let r = to + 4u * h;
        if (any(none)) {
            results[r] += select(weights.x * v, E(), none.x);
            results[r + 1u] += select(weights.y * v, E(), none.y);
            results[r + 2u] += select(weights.z * v, E(), none.z);
            results[r + 3u] += select(weights.w * v, E(), none.w);
        } else {
            results[r] += weights.x * v;
            results[r + 1u] += weights.y * v;
            results[r + 2u] += weights.z * v;
            results[r + 3u] += weights.w * v;
        }
    }
}
