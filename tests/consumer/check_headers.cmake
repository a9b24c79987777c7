# Each facade header compiles alone as C++17 and pulls in nothing of CAF, libldap or OpenSSL. Given: compiler, c_compiler,
# source_dir, include_dir (of the installed tree).
include("${source_dir}/cmake/public_headers.cmake")
foreach(header IN LISTS facade_headers)
  execute_process(
    COMMAND "${compiler}" -std=c++17 -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror -x c++ -M "-I${include_dir}"
            -include "understudy/${header}" /dev/null
    OUTPUT_VARIABLE needed
    ERROR_VARIABLE errors
    RESULT_VARIABLE failed)
  if(failed)
    message(SEND_ERROR "${header} does not compile:\n${errors}")
  elseif(needed MATCHES "[^ ]*/(caf/|openssl/|ldap\\.h|lber\\.h|openldap\\.h)[^ ]*")
    message(SEND_ERROR "${header} pulls in ${CMAKE_MATCH_0}")
  endif()
  execute_process(
    COMMAND "${compiler}" -std=c++17 -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror -x c++ -fsyntax-only
            "-I${include_dir}" -include "understudy/${header}" /dev/null
    ERROR_VARIABLE errors
    RESULT_VARIABLE failed)
  if(failed)
    message(SEND_ERROR "${header} is not C++17:\n${errors}")
  endif()
endforeach()
# The C interface is C, from C99 on.
foreach(standard c99 c11)
  execute_process(
    COMMAND "${c_compiler}" -std=${standard} -Wall -Wextra -Wpedantic -Wstrict-prototypes -Wconversion -Werror -x c
            -fsyntax-only "-I${include_dir}" -include "understudy/understudy.h" /dev/null
    ERROR_VARIABLE errors
    RESULT_VARIABLE failed)
  if(failed)
    message(SEND_ERROR "understudy.h is not ${standard}:\n${errors}")
  endif()
endforeach()
list(LENGTH facade_headers count)
message(STATUS "${count} headers checked")
