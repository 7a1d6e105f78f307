#include "soak.h"

int main(int argc, char **argv) { return soak_main(argc, argv, NULL); }
