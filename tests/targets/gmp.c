// SPDX-License-Identifier: Apache-2.0
/*
 * gmp [SECONDS]
 *
 * Arithmetic with numbers of 100 to 20000 bits, done by libgmp's assembly, which has no unwind
 * tables. True stacks: main, turn, and then multiply, divide, power or root, with nothing but
 * libgmp above it.
 */
#include <gmp.h>

#include "target.h"

FUNCTION void multiply(mpz_t result, const mpz_t a, const mpz_t b);
FUNCTION void divide(mpz_t result, const mpz_t a, const mpz_t b);
FUNCTION void power(mpz_t result, const mpz_t a, const mpz_t b);
FUNCTION void root(mpz_t result, const mpz_t a);
FUNCTION void turn(gmp_randstate_t random, unsigned bits);

void multiply(mpz_t result, const mpz_t a, const mpz_t b)
{
	int done = 1;

	for (int i = 0; i < 20; i++) {
		mpz_mul(result, a, b);
		mpz_addmul(result, a, a);
		mpz_submul_ui(result, b, 12345);
		mpz_mul_2exp(result, result, 13);
	}
	NO_TAIL_CALL(done);
}

void divide(mpz_t result, const mpz_t a, const mpz_t b)
{
	int done = 1;

	for (int i = 0; i < 20; i++) {
		mpz_fdiv_q(result, a, b);
		mpz_mod(result, a, b);
		mpz_gcd(result, a, b);
		mpz_fdiv_q_2exp(result, a, 7);
	}
	NO_TAIL_CALL(done);
}

void power(mpz_t result, const mpz_t a, const mpz_t b)
{
	int done = 1;
	mpz_t odd;

	mpz_init_set(odd, b);
	mpz_setbit(odd, 0);
	mpz_powm_ui(result, a, 65537, odd);
	mpz_invert(result, a, odd);
	mpz_clear(odd);
	NO_TAIL_CALL(done);
}

void root(mpz_t result, const mpz_t a)
{
	int done = 1;

	mpz_sqrt(result, a);
	(void)mpz_perfect_square_p(a);
	(void)mpz_popcount(a);
	NO_TAIL_CALL(done);
}

void turn(gmp_randstate_t random, unsigned bits)
{
	mpz_t a, b, result;

	mpz_inits(a, b, result, NULL);
	mpz_rrandomb(a, random, bits);
	mpz_rrandomb(b, random, bits / 2 + 64);
	multiply(result, a, b);
	divide(result, a, b);
	power(result, a, b);
	root(result, a);
	mpz_clears(a, b, result, NULL);
}

int main(int argc, char **argv)
{
	gmp_randstate_t random;
	uint64_t state = 0x2545f4914f6cdd1dULL;

	target_begin(argc > 1 ? argv[1] : NULL);
	gmp_randinit_default(random);
	target_ready();
	while (!target_stopped)
		turn(random, 100 + (unsigned)(target_random(&state) % 20000));
	puts("{}");
	return 0;
}
