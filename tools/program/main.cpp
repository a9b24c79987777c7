// The `understudy` program.
#include "understudy/tools/commands.hpp"

int main(int argc, char** argv) { return understudy::cli::run_program(argc, argv); }
