# Prints the headers that the API reference documents, a line each. What runtime/runtime.hpp takes from runtime/client/
# and runtime/platform/ is installed, because it does not compile without, and is no part of the API.
include("${CMAKE_CURRENT_LIST_DIR}/header_closure.cmake")
header_closure(headers "${CMAKE_CURRENT_LIST_DIR}/.." ${facade_headers} ${actor_headers})
list(FILTER headers EXCLUDE REGEX "^runtime/(client|platform)/")
list(SORT headers)
foreach(header IN LISTS headers)
  execute_process(COMMAND "${CMAKE_COMMAND}" -E echo "${header}")
endforeach()
