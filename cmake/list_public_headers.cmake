# Prints the public headers, a line each.
include("${CMAKE_CURRENT_LIST_DIR}/public_headers.cmake")
foreach(header IN LISTS facade_headers actor_headers)
  execute_process(COMMAND "${CMAKE_COMMAND}" -E echo "${header}")
endforeach()
