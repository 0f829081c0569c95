/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_FAKE_MEM_TRY_H
#define TESTS_FAKE_MEM_TRY_H
/*
 * Replaces mem_try_alloc in a test that calls fake_mem_fail_at: the n-th
 * allocation from now (1 is the next) and all after it fail; 0 ends that.
 * To try every place: run the code with n = 1, 2, ... until
 * fake_mem_failed() says that none was refused any more.
 */
#include <stdbool.h>

void fake_mem_fail_at(unsigned n);
bool fake_mem_failed(void); /* since the last fake_mem_fail_at */
#endif
