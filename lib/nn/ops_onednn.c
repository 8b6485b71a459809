/*
 * Linear layers by oneDNN; the other operators come from vector_*.c.  The only file that knows
 * oneDNN, and it compiles with its C API of both 2.x and 3.x: what differs is in the few functions
 * that come first.
 *
 * A layer's weights are reordered once, at creation, into the blocked form its matrix product
 * wants; so are primitives made, one for each of a few row counts ("products"), all sharing those
 * weights.  A call is cut into the largest products that fit: 100 rows are 64 + 16 + 16 + 4.
 * Rejected: padding rows up (more arithmetic and a copy, where a small product costs a
 * microsecond of overhead), and one primitive with a run-time row count (oneDNN 2.6 has only its
 * slow general kernel for those).
 *
 * The rest of the layer is ours: inputs rounded to bfloat16 or quantised row by row into scratch,
 * and after the product one pass over its rows, warm in the cache, that scales back, adds the bias
 * and activates.  The product of int8 is written to `out` itself as 32-bit integers, and that pass
 * turns them into floats in place.
 *
 * Every row is computed alone: no row's result depends on its neighbours' values.  The blocked
 * kernels that oneDNN has for AVX-512 sum along k in the same order for any number of rows, so
 * there batched equals alone to the last bit (tests/compare checks it); int8 sums are exact
 * everywhere.  On older processors oneDNN 2.6 uses a general kernel whose order depends on the
 * number of rows, and f32 results may differ in the last bits.  Padding all calls to one fixed
 * count would cure that, at the price of running one row four times slower there.
 *
 * Threads: a layer is immutable and used by many threads at once, so each call brings its own
 * stream, memory objects and scratchpad.  oneDNN allocates those few small objects, and more
 * inside each execution; only its own allocation failing can make a call fail, and then the rows
 * come out as zeros.
 */
#include <oneapi/dnnl/dnnl.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "nn/number.h"
#include "nn/ops.h"
#include "nn/vector_ops.h"
#include "nn/weight_rows.h"

/* ---- oneDNN 2.x and 3.x ---- */

/* The description of a matrix in memory: a struct in 2.x, an opaque handle to own in 3.x. */
typedef struct matrix_layout {
    dnnl_memory_desc_t desc;
} matrix_layout;

#if DNNL_VERSION_MAJOR >= 3

static dnnl_status_t layout_create(
    matrix_layout *out, size_t rows, size_t columns, dnnl_data_type_t type, dnnl_format_tag_t tag)
{
    dnnl_dims_t dims = {(dnnl_dim_t)rows, (dnnl_dim_t)columns};
    return dnnl_memory_desc_create_with_tag(&out->desc, 2, dims, type, tag);
}

static void layout_destroy(matrix_layout *layout)
{
    if (layout->desc)
        dnnl_memory_desc_destroy(layout->desc);
}

static const_dnnl_memory_desc_t layout_desc(const matrix_layout *layout)
{
    return layout->desc;
}

static dnnl_status_t layout_query(
    matrix_layout *out, const_dnnl_primitive_desc_t desc, dnnl_query_t what)
{
    return dnnl_memory_desc_clone(&out->desc, dnnl_primitive_desc_query_md(desc, what, 0));
}

static dnnl_status_t matmul_describe(dnnl_primitive_desc_t *out, dnnl_engine_t engine,
    const matrix_layout *source, const matrix_layout *weight, const matrix_layout *product,
    dnnl_primitive_attr_t attr)
{
    return dnnl_matmul_primitive_desc_create(
        out, engine, source->desc, weight->desc, NULL, product->desc, attr);
}

/* The 8-bit kernels of AVX2 machines use its VNNI from 3.0 on. */
static bool fast_int8(dnnl_cpu_isa_t isa)
{
    return (isa & dnnl_cpu_isa_avx512_core_vnni) == dnnl_cpu_isa_avx512_core_vnni ||
           (isa & dnnl_cpu_isa_avx2_vnni) == dnnl_cpu_isa_avx2_vnni;
}

#else

static dnnl_status_t layout_create(
    matrix_layout *out, size_t rows, size_t columns, dnnl_data_type_t type, dnnl_format_tag_t tag)
{
    dnnl_dims_t dims = {(dnnl_dim_t)rows, (dnnl_dim_t)columns};
    return dnnl_memory_desc_init_by_tag(&out->desc, 2, dims, type, tag);
}

static void layout_destroy(matrix_layout *layout)
{
    (void)layout;
}

static const dnnl_memory_desc_t *layout_desc(const matrix_layout *layout)
{
    return &layout->desc;
}

static dnnl_status_t layout_query(
    matrix_layout *out, const_dnnl_primitive_desc_t desc, dnnl_query_t what)
{
    out->desc = *dnnl_primitive_desc_query_md(desc, what, 0);
    return dnnl_success;
}

static dnnl_status_t matmul_describe(dnnl_primitive_desc_t *out, dnnl_engine_t engine,
    const matrix_layout *source, const matrix_layout *weight, const matrix_layout *product,
    dnnl_primitive_attr_t attr)
{
    dnnl_matmul_desc_t operation;
    dnnl_status_t status =
        dnnl_matmul_desc_init(&operation, &source->desc, &weight->desc, NULL, &product->desc);
    if (status != dnnl_success)
        return status;
    return dnnl_primitive_desc_create(out, &operation, attr, engine, NULL);
}

static bool fast_int8(dnnl_cpu_isa_t isa)
{
    return (isa & dnnl_cpu_isa_avx512_core_vnni) == dnnl_cpu_isa_avx512_core_vnni;
}

#endif

/* ---- One thread ---- */

/* oneDNN asks OpenMP how many threads to use, at creation and in each call.  We want the calling
 * thread alone: the engine's workers are the parallelism.  The number is a setting of the calling
 * thread; it is put back, since that thread may be a program's own that uses OpenMP too.  (The
 * functions are standard; declared here because compilers come without omp.h more often than
 * without the library, which oneDNN needs anyway.) */
int omp_get_max_threads(void);
void omp_set_num_threads(int count);

static int single_thread_begin(void)
{
    int before = omp_get_max_threads();
    if (before != 1)
        omp_set_num_threads(1);
    return before;
}

static void single_thread_end(int before)
{
    if (before != 1)
        omp_set_num_threads(before);
}

/* ---- The layer ---- */

/* Rows of one product: all small counts, so that few streams cost one call, then sizes at which
 * the product runs at full speed and its rows still fit the second-level cache. */
static const size_t product_rows[] = {
    1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 64, 256};

enum { MAX_PRODUCTS = sizeof product_rows / sizeof *product_rows };

typedef struct row_product {
    size_t rows;
    matrix_layout source, result, scratchpad;
    dnnl_primitive_t primitive;
} row_product;

struct nn_linear {
    size_t out_size, in_size;
    nn_precision precision;
    dnnl_engine_t engine;
    row_product products[MAX_PRODUCTS]; /* rising rows */
    size_t product_count;
    matrix_layout weight_layout;
    void *weight; /* in weight_layout */
    dnnl_memory_t weight_memory;
    float *bias;         /* [out_size], zeros without one */
    float *scale;        /* [out_size]; INT8 */
    int32_t *weight_sum; /* [out_size] sum of a row's bytes; INT8 */
};

static dnnl_data_type_t source_type(nn_precision precision)
{
    return precision == NN_PRECISION_F32    ? dnnl_f32
           : precision == NN_PRECISION_BF16 ? dnnl_bf16
                                            : dnnl_u8;
}

static dnnl_data_type_t weight_type(nn_precision precision)
{
    return precision == NN_PRECISION_INT8 ? dnnl_s8 : source_type(precision);
}

static size_t source_bytes(nn_precision precision)
{
    return precision == NN_PRECISION_F32 ? 4 : precision == NN_PRECISION_BF16 ? 2 : 1;
}

/* What oneDNN will really use: the processor's instruction sets less those that the environment
 * (DNNL_MAX_CPU_ISA) takes away.  Larger sets contain the bits of the smaller. */
static bool supports(nn_precision precision)
{
    dnnl_cpu_isa_t isa = dnnl_get_effective_cpu_isa();
    switch (precision) {
    case NN_PRECISION_F32:
        return true;
    case NN_PRECISION_BF16:
        return (isa & dnnl_cpu_isa_avx512_core_bf16) == dnnl_cpu_isa_avx512_core_bf16;
    case NN_PRECISION_INT8:
        return fast_int8(isa);
    }
    return false;
}

static steno_status failure(dnnl_status_t status, const nn_tensor *weight, steno_error *error)
{
    if (status == dnnl_out_of_memory)
        return error_memory(error);
    return error_set(error, STENO_ERROR_INTERNAL,
        "tensor %s: oneDNN cannot prepare a product with it (status %d)", weight->name, status);
}

static void linear_destroy(nn_linear *linear)
{
    if (!linear)
        return;
    for (size_t i = 0; i < MAX_PRODUCTS; i++) {
        row_product *product = &linear->products[i];
        if (product->primitive)
            dnnl_primitive_destroy(product->primitive);
        layout_destroy(&product->source);
        layout_destroy(&product->result);
        layout_destroy(&product->scratchpad);
    }
    if (linear->weight_memory)
        dnnl_memory_destroy(linear->weight_memory);
    layout_destroy(&linear->weight_layout);
    if (linear->engine)
        dnnl_engine_destroy(linear->engine);
    memory_free(linear->weight);
    memory_free(linear->bias);
    memory_free(linear->scale);
    memory_free(linear->weight_sum);
    memory_free(linear);
}

/* The product for `rows` rows.  The first one made chooses the layout of the weights, the others
 * are told it. */
static dnnl_status_t product_create(
    nn_linear *linear, size_t rows, dnnl_primitive_attr_t attr, bool first, row_product *out)
{
    out->rows = rows;
    dnnl_primitive_desc_t desc = NULL;
    dnnl_status_t status =
        layout_create(&out->source, rows, linear->in_size, source_type(linear->precision), dnnl_ab);
    if (status == dnnl_success)
        status = layout_create(&out->result, rows, linear->out_size,
            linear->precision == NN_PRECISION_INT8 ? dnnl_s32 : dnnl_f32, dnnl_ab);
    matrix_layout any = {0};
    if (status == dnnl_success && first)
        status = layout_create(&any, linear->in_size, linear->out_size,
            weight_type(linear->precision), dnnl_format_tag_any);
    if (status == dnnl_success)
        status = matmul_describe(&desc, linear->engine, &out->source,
            first ? &any : &linear->weight_layout, &out->result, attr);
    if (status == dnnl_success && first)
        status = layout_query(&linear->weight_layout, desc, dnnl_query_weights_md);
    if (status == dnnl_success)
        status = layout_query(&out->scratchpad, desc, dnnl_query_scratchpad_md);
    if (status == dnnl_success)
        status = dnnl_primitive_create(&out->primitive, desc);
    if (desc)
        dnnl_primitive_desc_destroy(desc);
    layout_destroy(&any);
    return status;
}

/* The largest product goes first: its speed decides the layout. */
static dnnl_status_t products_create(nn_linear *linear, size_t max_rows)
{
    while (linear->product_count < MAX_PRODUCTS && product_rows[linear->product_count] <= max_rows)
        linear->product_count++;
    dnnl_primitive_attr_t attr;
    dnnl_status_t status = dnnl_primitive_attr_create(&attr);
    if (status != dnnl_success)
        return status;
    status = dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user);
    for (size_t i = linear->product_count; status == dnnl_success && i-- > 0;)
        status = product_create(
            linear, product_rows[i], attr, i + 1 == linear->product_count, &linear->products[i]);
    dnnl_primitive_attr_destroy(attr);
    return status;
}

/* Reorders plain [out_size, in_size] weights into linear->weight. */
static dnnl_status_t weights_reorder(nn_linear *linear, void *plain)
{
    /* As a matrix [in_size, out_size] its columns are contiguous: "ba". */
    matrix_layout plain_layout = {0};
    dnnl_memory_t from = NULL;
    dnnl_primitive_desc_t desc = NULL;
    dnnl_primitive_t reorder = NULL;
    dnnl_stream_t stream = NULL;
    dnnl_status_t status = layout_create(
        &plain_layout, linear->in_size, linear->out_size, weight_type(linear->precision), dnnl_ba);
    if (status == dnnl_success)
        status = dnnl_memory_create(&from, layout_desc(&plain_layout), linear->engine, plain);
    if (status == dnnl_success)
        status = dnnl_memory_create(&linear->weight_memory, layout_desc(&linear->weight_layout),
            linear->engine, linear->weight);
    if (status == dnnl_success)
        status = dnnl_reorder_primitive_desc_create(&desc, layout_desc(&plain_layout),
            linear->engine, layout_desc(&linear->weight_layout), linear->engine, NULL);
    if (status == dnnl_success)
        status = dnnl_primitive_create(&reorder, desc);
    if (status == dnnl_success)
        status = dnnl_stream_create(&stream, linear->engine, dnnl_stream_default_flags);
    if (status == dnnl_success) {
        const dnnl_exec_arg_t arguments[] = {
            {DNNL_ARG_FROM, from}, {DNNL_ARG_TO, linear->weight_memory}};
        status = dnnl_primitive_execute(reorder, stream, 2, arguments);
    }
    if (stream)
        dnnl_stream_destroy(stream);
    if (reorder)
        dnnl_primitive_destroy(reorder);
    if (desc)
        dnnl_primitive_desc_destroy(desc);
    if (from)
        dnnl_memory_destroy(from);
    layout_destroy(&plain_layout);
    return status;
}

/* The weights in the type of their product: out [out_size, in_size], and for INT8 the layer's
 * scales and sums. */
static steno_status weights_convert(
    nn_linear *linear, const nn_tensor *weight, void *out, steno_error *error)
{
    size_t elements = linear->out_size * linear->in_size;
    if (linear->precision == NN_PRECISION_F32) {
        nn_tensor_to_float(weight, out);
    } else if (linear->precision == NN_PRECISION_BF16) {
        float *floats = memory_allocate(elements, sizeof *floats);
        if (!floats)
            return error_memory(error);
        nn_tensor_to_float(weight, floats);
        vector_to_bf16(floats, elements, out);
        memory_free(floats);
    } else {
        steno_status status = weight_rows_quantise(weight, out, linear->scale, error);
        if (status < 0)
            return status;
        const int8_t *bytes = out;
        for (size_t i = 0; i < elements; i++)
            linear->weight_sum[i / linear->in_size] += bytes[i];
    }
    return STENO_OK;
}

/* Fills a layer whose sizes, precision, bias and (INT8) tables are there. */
static steno_status linear_prepare(
    nn_linear *linear, const nn_tensor *weight, size_t max_rows, steno_error *error)
{
    dnnl_status_t status = dnnl_engine_create(&linear->engine, dnnl_cpu, 0);
    if (status == dnnl_success)
        status = products_create(linear, max_rows);
    if (status != dnnl_success)
        return failure(status, weight, error);
    size_t elements = linear->out_size * linear->in_size;
    void *plain = memory_allocate(elements, source_bytes(linear->precision));
    linear->weight =
        memory_allocate(dnnl_memory_desc_get_size(layout_desc(&linear->weight_layout)), 1);
    steno_status result = plain && linear->weight ? weights_convert(linear, weight, plain, error)
                                                  : error_memory(error);
    if (result == STENO_OK) {
        status = weights_reorder(linear, plain);
        if (status != dnnl_success)
            result = failure(status, weight, error);
    }
    memory_free(plain);
    return result;
}

static steno_status linear_create(const nn_tensor *weight, const float *bias,
    nn_precision precision, size_t max_rows, nn_linear **out_linear, steno_error *error)
{
    if (!supports(precision))
        return error_set(error, STENO_ERROR_UNSUPPORTED,
            "tensor %s: this processor has no instructions for that precision", weight->name);
    steno_status status = weight_rows_check(weight, precision, error);
    if (status < 0)
        return status;
    precision = weight_rows_precision(weight, precision);
    nn_linear *linear = memory_allocate(1, sizeof *linear);
    if (!linear)
        return error_memory(error);
    linear->out_size = weight->shape[0];
    linear->in_size = weight->shape[1];
    linear->precision = precision;
    linear->bias = memory_allocate(linear->out_size, sizeof *linear->bias);
    linear->scale = memory_allocate(linear->out_size, sizeof *linear->scale);
    linear->weight_sum = memory_allocate(linear->out_size, sizeof *linear->weight_sum);
    if (!linear->bias || !linear->scale || !linear->weight_sum) {
        status = error_memory(error);
        goto failed;
    }
    if (bias)
        memcpy(linear->bias, bias, linear->out_size * sizeof *bias);
    int threads = single_thread_begin();
    status = linear_prepare(linear, weight, max_rows > 0 ? max_rows : 1, error);
    single_thread_end(threads);
    if (status < 0)
        goto failed;
    *out_linear = linear;
    return STENO_OK;

failed:
    linear_destroy(linear);
    return status;
}

/* ---- Forward ---- */

/* The largest product of at most `rows` rows (>= 1). */
static const row_product *product_for(const nn_linear *linear, size_t rows)
{
    size_t i = linear->product_count - 1;
    while (linear->products[i].rows > rows)
        i--;
    return &linear->products[i];
}

static size_t scratchpad_bytes(const row_product *product)
{
    return dnnl_memory_desc_get_size(layout_desc(&product->scratchpad));
}

static size_t linear_scratch(const nn_linear *linear, size_t rows)
{
    if (rows == 0)
        return 0;
    size_t largest = product_for(linear, rows)->rows;
    size_t scratchpad = 0;
    for (size_t i = 0; i < linear->product_count && linear->products[i].rows <= rows; i++) {
        size_t bytes = scratchpad_bytes(&linear->products[i]);
        scratchpad = bytes > scratchpad ? bytes : scratchpad;
    }
    size_t bytes = nn_scratch_round(scratchpad);
    if (linear->precision != NN_PRECISION_F32)
        bytes += nn_scratch_round(largest * linear->in_size * source_bytes(linear->precision));
    if (linear->precision == NN_PRECISION_INT8)
        bytes += nn_scratch_round(largest * sizeof(number_range));
    return bytes;
}

/* result = source W^T; false when oneDNN lacked memory. */
static bool multiply(const nn_linear *linear, const row_product *product, dnnl_stream_t stream,
    const void *source, void *scratchpad, float *result)
{
    dnnl_memory_t from = NULL, to = NULL, pad = NULL;
    /* The source is only read; the interface has no way to say so. */
    dnnl_status_t status = dnnl_memory_create(
        &from, layout_desc(&product->source), linear->engine, (void *)(uintptr_t)source);
    if (status == dnnl_success)
        status = dnnl_memory_create(&to, layout_desc(&product->result), linear->engine, result);
    if (status == dnnl_success)
        status =
            dnnl_memory_create(&pad, layout_desc(&product->scratchpad), linear->engine, scratchpad);
    if (status == dnnl_success) {
        const dnnl_exec_arg_t arguments[] = {{DNNL_ARG_SRC, from},
            {DNNL_ARG_WEIGHTS, linear->weight_memory}, {DNNL_ARG_DST, to},
            {DNNL_ARG_SCRATCHPAD, pad}};
        status = dnnl_primitive_execute(product->primitive, stream, 4, arguments);
    }
    if (pad)
        dnnl_memory_destroy(pad);
    if (to)
        dnnl_memory_destroy(to);
    if (from)
        dnnl_memory_destroy(from);
    return status == dnnl_success;
}

/* Working memory of one call, for its largest product. */
typedef struct workspace {
    void *staged;         /* the inputs in the product's type; not F32 */
    number_range *ranges; /* of each row; INT8 */
    nn_scratch *scratch;  /* for the scratchpads */
} workspace;

static workspace workspace_take(const nn_linear *linear, size_t rows, nn_scratch *scratch)
{
    workspace work = {.scratch = scratch};
    size_t largest = product_for(linear, rows)->rows;
    if (linear->precision != NN_PRECISION_F32)
        work.staged =
            nn_scratch_take(scratch, largest * linear->in_size * source_bytes(linear->precision));
    if (linear->precision == NN_PRECISION_INT8)
        work.ranges = nn_scratch_take(scratch, largest * sizeof *work.ranges);
    return work;
}

/* The inputs of one product in its type; f32 as they are. */
static const void *stage(
    const nn_linear *linear, const workspace *work, const float *in, size_t rows)
{
    if (linear->precision == NN_PRECISION_F32)
        return in;
    if (linear->precision == NN_PRECISION_BF16) {
        vector_to_bf16(in, rows * linear->in_size, work->staged);
        return work->staged;
    }
    uint8_t *bytes = work->staged;
    for (size_t row = 0; row < rows; row++)
        work->ranges[row] = number_quantise_row(
            in + row * linear->in_size, linear->in_size, bytes + row * linear->in_size);
    return work->staged;
}

/* The layer on the rows of one product; false when oneDNN lacked memory. */
static bool forward_product(const nn_linear *linear, const row_product *product,
    dnnl_stream_t stream, const workspace *work, const float *in, nn_activation activation,
    float *out)
{
    size_t mark = nn_scratch_mark(work->scratch);
    void *scratchpad = nn_scratch_take(work->scratch, scratchpad_bytes(product));
    const void *source = stage(linear, work, in, product->rows);
    bool good = multiply(linear, product, stream, source, scratchpad, out);
    nn_scratch_release(work->scratch, mark);
    if (!good)
        return false;
    if (linear->precision == NN_PRECISION_INT8)
        vector_dequantise(
            out, product->rows, linear->out_size, work->ranges, linear->scale, linear->weight_sum);
    vector_finish(out, product->rows, linear->out_size, linear->bias, activation);
    return true;
}

static void linear_forward(const nn_linear *linear, nn_scratch *scratch, const float *in,
    size_t rows, nn_activation activation, float *out)
{
    if (rows == 0)
        return;
    size_t mark = nn_scratch_mark(scratch);
    workspace work = workspace_take(linear, rows, scratch);
    int threads = single_thread_begin();
    dnnl_stream_t stream = NULL;
    bool good =
        dnnl_stream_create(&stream, linear->engine, dnnl_stream_default_flags) == dnnl_success;
    for (size_t row = 0; good && row < rows;) {
        const row_product *product = product_for(linear, rows - row);
        good = forward_product(linear, product, stream, &work, in + row * linear->in_size,
            activation, out + row * linear->out_size);
        row += product->rows;
    }
    if (stream)
        dnnl_stream_destroy(stream);
    single_thread_end(threads);
    nn_scratch_release(scratch, mark);
    if (!good)
        memset(out, 0, rows * linear->out_size * sizeof *out);
}

const nn_ops *nn_ops_onednn(void)
{
    static const nn_ops ops = {
        .name = "onednn",
        .supports = supports,
        .linear_create = linear_create,
        .linear_destroy = linear_destroy,
        .linear_scratch = linear_scratch,
        .linear_forward = linear_forward,
        .layer_norm = vector_layer_norm,
        .silu = vector_silu,
        .tanh = vector_tanh,
        .glu = vector_glu,
        .add_scaled = vector_add_scaled,
        .energies = vector_energies,
        .softmax = vector_softmax,
        .log_softmax = vector_log_softmax,
        .depthwise = vector_depthwise,
        .conv_first = vector_conv_first,
        .conv_depthwise = vector_conv_depthwise,
        .attention = vector_attention,
    };
    return &ops;
}
