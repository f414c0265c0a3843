// The operands of a product op(A) [m, k] · op(W) [k, n], read in blocks of 4×4. A block that sticks out of the matrix is
// read from rows that are inside it (their products are thrown away), but has zeros beyond k, which is summed over.
//
// A dispatch may see some rows of W only, because W lies in several buffers or is taken a piece at a time: they belong to
// a range of the terms k or, transposed, of the columns. It may see some rows of C only, for the same reasons.
//
// TRANSPOSE_A, TRANSPOSE_W: the matrix lies as [k, m], [n, k].
// VEC4_A, VEC4_W: its rows, as they lie, are a multiple of four long.

struct Params {
    m: u32,
    n: u32,
    k: u32,
    first_row: u32,  // where in C this dispatch starts
    first_col: u32,
    alpha: f32,
    first_k: u32,  // the terms that it sums
    end_k: u32,
    end_col: u32,
    w_first: u32,   // the term or column to which row 0 of the buffer of W belongs; it may be negative, and wraps
    w_origin: u32,  // the element of the whole of W with which its buffer begins
    c_first: u32,   // the row of the buffer of C with which C begins; it may be negative, and wraps
    end_row: u32,
}

@group(0) @binding(0) var<uniform> p: Params;

#ifdef VEC4_A
@group(0) @binding(1) var<storage, read> a: array<vec4f>;
#else
@group(0) @binding(1) var<storage, read> a: array<f32>;
#endif

#import weight_binding

#ifdef W_NF4
@group(0) @binding(4) var<storage, read> scales: array<u32>;
#endif

#import weights

#ifdef VEC4_A
#ifdef TRANSPOSE_A

// Four neighbours in row `at` of the stored matrix, zero below it.
fn a_stored(at: u32, row: u32) -> vec4f {
    let v = a[min(at, p.end_k - 1u) * (p.m / 4u) + min(row, p.m - 4u) / 4u];
    return select(vec4f(), v, at < p.end_k);
}

// Column i of the block is op(A)[row + i, k .. k + 3].
fn a_block(row: u32, k: u32) -> mat4x4f {
    return transpose(mat4x4f(a_stored(k, row), a_stored(k + 1u, row), a_stored(k + 2u, row), a_stored(k + 3u, row)));
}

#else

fn a_row(row: u32, k: u32) -> vec4f {
    return a[min(row, p.m - 1u) * (p.k / 4u) + k / 4u];
}

fn a_block(row: u32, k: u32) -> mat4x4f {
    return mat4x4f(a_row(row, k), a_row(row + 1u, k), a_row(row + 2u, k), a_row(row + 3u, k));
}

#endif
#else

fn a_at(row: u32, k: u32) -> f32 {
    let r = min(row, p.m - 1u);
    let c = min(k, p.end_k - 1u);
#ifdef TRANSPOSE_A
    return select(0.0, a[c * p.m + r], k < p.end_k);
#else
    return select(0.0, a[r * p.k + c], k < p.end_k);
#endif
}

fn a_row(row: u32, k: u32) -> vec4f {
    return vec4f(a_at(row, k), a_at(row, k + 1u), a_at(row, k + 2u), a_at(row, k + 3u));
}

fn a_block(row: u32, k: u32) -> mat4x4f {
    return mat4x4f(a_row(row, k), a_row(row + 1u, k), a_row(row + 2u, k), a_row(row + 3u, k));
}

#endif

#ifdef VEC4_W
#ifdef TRANSPOSE_W

fn w_place(col: u32, k: u32) -> u32 {
    return (min(col, p.end_col - 1u) - p.w_first) * p.k + k;
}

fn w_stored(col: u32, k: u32) -> vec4f {
    return w_four(w_place(col, k), p.w_origin);
}

// Column i of the block is op(W)[k + i, col .. col + 3].
fn w_block(k: u32, col: u32) -> mat4x4f {
    return transpose(mat4x4f(w_stored(col, k), w_stored(col + 1u, k), w_stored(col + 2u, k), w_stored(col + 3u, k)));
}

#ifdef SPANS

// Along k the scale of a column changes only every SPAN terms.
var<private> left_scales: vec4f;
var<private> right_scales: vec4f;

fn w_four_scales(k: u32, col: u32) -> vec4f {
    let origin = p.w_origin;
    return vec4f(w_scale(w_place(col, k), origin), w_scale(w_place(col + 1u, k), origin),
        w_scale(w_place(col + 2u, k), origin), w_scale(w_place(col + 3u, k), origin));
}

fn w_scaled(k: u32, col: u32, by: vec4f) -> mat4x4f {
    return transpose(mat4x4f(w_codes(w_place(col, k)) * by.x, w_codes(w_place(col + 1u, k)) * by.y,
        w_codes(w_place(col + 2u, k)) * by.z, w_codes(w_place(col + 3u, k)) * by.w));
}

fn w_left(k: u32, col: u32) -> mat4x4f {
    if (k % SPAN == 0u) {
        left_scales = w_four_scales(k, col);
    }
    return w_scaled(k, col, left_scales);
}

fn w_right(k: u32, col: u32) -> mat4x4f {
    if (k % SPAN == 0u) {
        right_scales = w_four_scales(k, col);
    }
    return w_scaled(k, col, right_scales);
}

#endif

#else

fn w_row(k: u32, col: u32) -> vec4f {
    let v = w_four((min(k, p.end_k - 1u) - p.w_first) * p.n + min(col, p.n - 4u), p.w_origin);
    return select(vec4f(), v, k < p.end_k);
}

fn w_block(k: u32, col: u32) -> mat4x4f {
    return mat4x4f(w_row(k, col), w_row(k + 1u, col), w_row(k + 2u, col), w_row(k + 3u, col));
}

#endif
#else

fn w_at(k: u32, col: u32) -> f32 {
    let r = min(k, p.end_k - 1u);
    let c = min(col, p.end_col - 1u);
#ifdef TRANSPOSE_W
    return select(0.0, w_one((c - p.w_first) * p.k + r, p.w_origin), k < p.end_k);
#else
    return select(0.0, w_one((r - p.w_first) * p.n + c, p.w_origin), k < p.end_k);
#endif
}

fn w_row(k: u32, col: u32) -> vec4f {
    return vec4f(w_at(k, col), w_at(k, col + 1u), w_at(k, col + 2u), w_at(k, col + 3u));
}

fn w_block(k: u32, col: u32) -> mat4x4f {
    return mat4x4f(w_row(k, col), w_row(k + 1u, col), w_row(k + 2u, col), w_row(k + 3u, col));
}

#endif

#ifdef SPANS
#else

fn w_left(k: u32, col: u32) -> mat4x4f {
    return w_block(k, col);
}

fn w_right(k: u32, col: u32) -> mat4x4f {
    return w_block(k, col);
}

#endif
