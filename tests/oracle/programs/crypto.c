// SPDX-License-Identifier: Apache-2.0
/*
 * Hand-written assembly of libcrypto and libgmp, each routine on a few hundred bytes. The work is
 * done in a thread of its own, so that it can be followed without what the libraries do at first.
 */
#include <gmp.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const ciphers[] = {
	"AES-128-CBC", "AES-256-CTR", "AES-128-GCM",	   "AES-192-ECB",
	"AES-128-XTS", "AES-128-CCM", "ChaCha20-Poly1305", "CAMELLIA-128-CBC",
};
static const char *const digests[] = { "MD5",	   "SHA1",	 "SHA256",   "SHA512",
				       "SHA3-256", "BLAKE2B512", "RIPEMD160" };

static EVP_CIPHER *cipher[sizeof(ciphers) / sizeof(*ciphers)];
static EVP_MD *digest[sizeof(digests) / sizeof(*digests)];
static EVP_PKEY *curve25519, *p256;
static unsigned char data[2048], out[4096], key[64], iv[16];

static void encrypt(const EVP_CIPHER *what, int size)
{
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	int done = 0;

	if (what && EVP_EncryptInit_ex2(context, what, key, iv, NULL))
		EVP_EncryptUpdate(context, out, &done, data, size);
	EVP_CIPHER_CTX_free(context);
}

static void derive(EVP_PKEY *pair)
{
	EVP_PKEY_CTX *context = pair ? EVP_PKEY_CTX_new(pair, NULL) : NULL;
	size_t size = sizeof(out);

	if (context && EVP_PKEY_derive_init(context) > 0 &&
	    EVP_PKEY_derive_set_peer(context, pair) > 0)
		EVP_PKEY_derive(context, out, &size);
	EVP_PKEY_CTX_free(context);
}

static void power(int bits)
{
	BN_CTX *context = BN_CTX_new();
	BIGNUM *base = BN_new(), *exponent = BN_new(), *modulus = BN_new(), *result = BN_new();

	BN_rand(base, bits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ODD);
	BN_rand(modulus, bits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ODD);
	BN_set_word(exponent, 37);
	BN_mod_exp_mont(result, base, exponent, modulus, context, NULL);
	BN_mod_exp_mont_consttime(result, base, exponent, modulus, context, NULL);
	BN_free(base);
	BN_free(exponent);
	BN_free(modulus);
	BN_free(result);
	BN_CTX_free(context);
}

static void multiply(unsigned words)
{
	mpz_t a, b, c;

	mpz_init_set_ui(a, 3);
	mpz_init(b);
	mpz_init(c);
	mpz_pow_ui(a, a, words * 40);
	mpz_mul(b, a, a);
	mpz_mul_2exp(c, b, 13);
	mpz_sub(c, c, a);
	mpz_tdiv_q(b, c, a);
	mpz_gcd(c, b, a);
	mpz_setbit(a, 0);
	mpz_powm_ui(c, b, 5, a);
	mpz_sqrt(b, a);
	mpz_clears(a, b, c, NULL);
}

static void *work(void *context)
{
	unsigned int size;

	for (size_t i = 0; i < sizeof(cipher) / sizeof(*cipher); i++) {
		encrypt(cipher[i], 16);
		encrypt(cipher[i], 1024);
	}
	for (size_t i = 0; i < sizeof(digest) / sizeof(*digest); i++)
		if (digest[i])
			EVP_Digest(data, 500, out, &size, digest[i], NULL);
	power(512);
	power(1024);
	multiply(4);
	multiply(60);
	if (context)
		derive(curve25519);
	return context;
}

int main(int argc, char **argv)
{
	pthread_t thread;

	(void)argv;
	for (size_t i = 0; i < sizeof(cipher) / sizeof(*cipher); i++)
		cipher[i] = EVP_CIPHER_fetch(NULL, ciphers[i], NULL);
	for (size_t i = 0; i < sizeof(digest) / sizeof(*digest); i++)
		digest[i] = EVP_MD_fetch(NULL, digests[i], NULL);
	curve25519 = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
	p256 = EVP_EC_gen("P-256");
	if (pthread_create(&thread, NULL, work, argc > 1 ? key : NULL) != 0)
		return 1;
	pthread_join(thread, NULL);
	printf("done\n");
	return 0;
}
