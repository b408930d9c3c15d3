// A scan and its gradient as a plain loop, for cpu.py: channels in turn on all threads,
// and the 16 states of one in a vector, if the compiler says so.
#include <cmath>
#include <vector>

static constexpr int N = 16;

extern "C" void forward(long streams, long length, long E, int threads, const float *u,
                        const float *delta, const float *A, const float *B, const float *C,
                        float *y) {
#pragma omp parallel for collapse(2) num_threads(threads)
  for (long s = 0; s < streams; ++s)
    for (long e = 0; e < E; ++e) {
      float h[N] = {};
      for (long t = s * length; t < (s + 1) * length; ++t) {
        float d = delta[t * E + e], x = d * u[t * E + e], sum = 0;
        for (int n = 0; n < N; ++n) {
          h[n] = std::exp(d * A[e * N + n]) * h[n] + x * B[t * N + n];
          sum += C[t * N + n] * h[n];
        }
        y[t * E + e] = sum;
      }
    }
}

/// Forward, and the gradients of all inputs of a y whose gradient is dy. dB and dC are of
/// each thread, to be added up: [threads, streams * length, N].
extern "C" void both(long streams, long length, long E, int threads, const float *u,
                     const float *delta, const float *A, const float *B, const float *C,
                     const float *dy, float *y, float *du, float *ddelta, float *dA, float *dB,
                     float *dC) {
  long tokens = streams * length;
#pragma omp parallel num_threads(threads)
  {
    std::vector<float> states(length * N), decays(length * N);
#pragma omp for
    for (int thread = 0; thread < threads; ++thread) {
      float *mineB = dB + thread * tokens * N, *mineC = dC + thread * tokens * N;
      for (long i = 0; i < tokens * N; ++i)
        mineB[i] = mineC[i] = 0;
      for (long e = E * thread / threads; e < E * (thread + 1) / threads; ++e) {
        float ofA[N] = {};
        for (long s = 0; s < streams; ++s) {
          float h[N] = {}, G[N] = {};
          for (long i = 0; i < length; ++i) {
            long t = s * length + i;
            float d = delta[t * E + e], x = d * u[t * E + e], sum = 0;
            for (int n = 0; n < N; ++n) {
              float decay = std::exp(d * A[e * N + n]);
              decays[i * N + n] = decay;
              states[i * N + n] = h[n];
              h[n] = decay * h[n] + x * B[t * N + n];
              sum += C[t * N + n] * h[n];
            }
            y[t * E + e] = sum;
          }
          for (long i = length - 1; i >= 0; --i) {
            long t = s * length + i;
            float d = delta[t * E + e], x = d * u[t * E + e], g = dy[t * E + e];
            float ofX = 0, ofD = 0;
            for (int n = 0; n < N; ++n) {
              float p = decays[i * N + n] * states[i * N + n];
              G[n] += C[t * N + n] * g;
              mineC[t * N + n] += g * (p + x * B[t * N + n]);
              mineB[t * N + n] += G[n] * x;
              ofX += G[n] * B[t * N + n];
              ofD += G[n] * p * A[e * N + n];
              ofA[n] += G[n] * p * d;
              G[n] *= decays[i * N + n];
            }
            du[t * E + e] = ofX * d;
            ddelta[t * E + e] = ofD + ofX * u[t * E + e];
          }
        }
        for (int n = 0; n < N; ++n)
          dA[e * N + n] = ofA[n];
      }
    }
  }
}
