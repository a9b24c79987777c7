# Language level, warnings, sanitizers: the same for every target.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
# -O3 buys nothing measurable here and costs a fifth more compile time.
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O1 -g1")
# Nobody puts other functions in the place of ours when the library is loaded: calls within it may be inlined.
add_compile_options($<$<CXX_COMPILER_ID:GNU>:-fno-semantic-interposition>)
# Functions of other libraries are found when the program is loaded. At a first call the loader would lay the registers
# on the stack, and with them parts of a password that was copied just before. Nor can the table be overwritten.
add_link_options(-Wl,-z,relro,-z,now)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
# The program and the tests, and everything under the sanitizers, are compiled several sources at a time: what they include
# is read and instantiated once for all of them, which takes a third of the time. OFF gives each source an object of its own.
option(UNDERSTUDY_UNITY "Compile several sources at a time but where others link with the result" ON)
set(CMAKE_UNITY_BUILD_BATCH_SIZE 8)
if(UNDERSTUDY_SANITIZE)
  set(CMAKE_UNITY_BUILD ${UNDERSTUDY_UNITY})
endif()
find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CCACHE}")
  # Without it ccache cannot tell which precompiled header an object was made with, and keeps none of those objects.
  add_compile_options($<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>)
endif()

add_library(understudy_compile_settings INTERFACE)
target_compile_options(understudy_compile_settings INTERFACE -Wall -Wextra -Wpedantic
                       # Several sources at a time are in each other's scope.
                       $<IF:$<BOOL:$<TARGET_PROPERTY:UNITY_BUILD>>,-Wshadow=local,-Wshadow> -Wconversion
                       # GCC 12 sees overlaps that are not there in string concatenation (GCC bug 105651).
                       $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>
                       # Instrumented code makes GCC warn of what cannot happen; the release build is the judge. A
                       # project that has this as a part has a compiler of its own choice.
                       $<$<AND:$<BOOL:${PROJECT_IS_TOP_LEVEL}>,$<NOT:$<BOOL:${UNDERSTUDY_SANITIZE}>>>:-Werror>)
if(UNDERSTUDY_SANITIZE)
  # CAF 0.17 calls members through null pointers on purpose in its intrusive lists: no null check there. The check of
  # virtual tables opens a pipe to see whether memory can be read: without descriptors (scenario 41) it calls all wrong.
  add_compile_options(-fsanitize=address,undefined -fno-sanitize=null,vptr -fno-sanitize-recover=all
                      -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
endif()
