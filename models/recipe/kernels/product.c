/* Matrix products: by the BLAS in f32, or in fixed point where that was asked for. */
#include "kernels.h"

typedef void sgemm(int order, int trans_a, int trans_b, int m, int n, int k, float alpha,
    const float *a, int lda, const float *b, int ldb, float beta, float *c, int ldc);

/* Set by fused.py before anything else is called: PyTorch's own BLAS, and whether not to use it. */
static sgemm *cblas;
static int in_fixed;

void kernels_set_blas(void *function)
{
    cblas = (sgemm *)function;
}

/* From now on products are taken in fixed point, or not.  Returns whether they are: 0 where the
 * processor has no instructions for it. */
int kernels_set_fixed(int wanted)
{
    in_fixed = wanted && product_fixed(0, 0, 0, NULL, 0, NULL, 0, 1, NULL);
    return in_fixed;
}

void product(int64_t n, int64_t m, int64_t k, const float *a, int a_transposed, const float *b,
    int b_transposed, int add, float *out)
{
    enum { ROW_MAJOR = 101, AS_IS = 111, TRANSPOSED = 112 };
    if (in_fixed) {
        product_fixed(n, m, k, a, a_transposed, b, b_transposed, add, out);
        return;
    }
    cblas(ROW_MAJOR, a_transposed ? TRANSPOSED : AS_IS, b_transposed ? TRANSPOSED : AS_IS, (int)n,
        (int)m, (int)k, 1.0f, a, (int)(a_transposed ? n : k), b, (int)(b_transposed ? k : m),
        add ? 1.0f : 0.0f, out, (int)m);
}
