#include "store/internal.h"
