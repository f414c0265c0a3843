// What an invocation of an element-wise kernel handles: one element, or four neighbours.
//
// VEC4: rows are a multiple of four long.

#ifdef VEC4
alias E = vec4f;
#else
alias E = f32;
#endif

// The sum of what an invocation handles.
#ifdef VEC4
fn sum_of(v: E) -> f32 {
    return (v.x + v.y) + (v.z + v.w);
}
#else
fn sum_of(v: E) -> f32 {
    return v;
}
#endif

// The largest of what an invocation handles.
#ifdef VEC4
fn max_of(v: E) -> f32 {
    return max(max(v.x, v.y), max(v.z, v.w));
}
#else
fn max_of(v: E) -> f32 {
    return v;
}
#endif
