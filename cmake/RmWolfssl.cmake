# SPDX-License-Identifier: GPL-3.0-or-later
add_library(dep_wolfssl INTERFACE)
