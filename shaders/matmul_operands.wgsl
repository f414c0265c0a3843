// The operands of a product op(A) [m, k] · op(B) [k, n], read in blocks of 4×4. A block that sticks out of the matrix
// is read from rows that are inside it (their products are thrown away), but has zeros beyond k, which is summed over.
//
// TRANSPOSE_A, TRANSPOSE_B: the matrix lies as [k, m], [n, k].
// VEC4_A, VEC4_B: its rows, as they lie, are a multiple of four long.

struct Params {
    m: u32,
    n: u32,
    k: u32,
    first_row: u32,  // where in C this dispatch starts
    first_col: u32,
    alpha: f32,
}

@group(0) @binding(0) var<uniform> p: Params;

#ifdef VEC4_A
@group(0) @binding(1) var<storage, read> a: array<vec4f>;
#else
@group(0) @binding(1) var<storage, read> a: array<f32>;
#endif

#ifdef VEC4_B
@group(0) @binding(2) var<storage, read> b: array<vec4f>;
#else
@group(0) @binding(2) var<storage, read> b: array<f32>;
#endif

#ifdef VEC4_A
#ifdef TRANSPOSE_A

// Four neighbours in row `at` of the stored matrix, zero below it.
fn a_stored(at: u32, row: u32) -> vec4f {
    let v = a[min(at, p.k - 1u) * (p.m / 4u) + min(row, p.m - 4u) / 4u];
    return select(vec4f(), v, at < p.k);
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
    let c = min(k, p.k - 1u);
#ifdef TRANSPOSE_A
    return select(0.0, a[c * p.m + r], k < p.k);
#else
    return select(0.0, a[r * p.k + c], k < p.k);
#endif
}

fn a_row(row: u32, k: u32) -> vec4f {
    return vec4f(a_at(row, k), a_at(row, k + 1u), a_at(row, k + 2u), a_at(row, k + 3u));
}

fn a_block(row: u32, k: u32) -> mat4x4f {
    return mat4x4f(a_row(row, k), a_row(row + 1u, k), a_row(row + 2u, k), a_row(row + 3u, k));
}

#endif

#ifdef VEC4_B
#ifdef TRANSPOSE_B

fn b_stored(col: u32, k: u32) -> vec4f {
    return b[min(col, p.n - 1u) * (p.k / 4u) + k / 4u];
}

// Column i of the block is op(B)[k + i, col .. col + 3].
fn b_block(k: u32, col: u32) -> mat4x4f {
    return transpose(mat4x4f(b_stored(col, k), b_stored(col + 1u, k), b_stored(col + 2u, k), b_stored(col + 3u, k)));
}

#else

fn b_row(k: u32, col: u32) -> vec4f {
    let v = b[min(k, p.k - 1u) * (p.n / 4u) + min(col, p.n - 4u) / 4u];
    return select(vec4f(), v, k < p.k);
}

fn b_block(k: u32, col: u32) -> mat4x4f {
    return mat4x4f(b_row(k, col), b_row(k + 1u, col), b_row(k + 2u, col), b_row(k + 3u, col));
}

#endif
#else

fn b_at(k: u32, col: u32) -> f32 {
    let r = min(k, p.k - 1u);
    let c = min(col, p.n - 1u);
#ifdef TRANSPOSE_B
    return select(0.0, b[c * p.k + r], k < p.k);
#else
    return select(0.0, b[r * p.n + c], k < p.k);
#endif
}

fn b_row(k: u32, col: u32) -> vec4f {
    return vec4f(b_at(k, col), b_at(k, col + 1u), b_at(k, col + 2u), b_at(k, col + 3u));
}

fn b_block(k: u32, col: u32) -> mat4x4f {
    return mat4x4f(b_row(k, col), b_row(k + 1u, col), b_row(k + 2u, col), b_row(k + 3u, col));
}

#endif
