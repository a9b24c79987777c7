# Installs the public headers with all they include. Given: source_dir, include_dir (relative to the prefix).
include("${source_dir}/cmake/header_closure.cmake")
header_closure(headers "${source_dir}" ${facade_headers} ${actor_headers})
foreach(header IN LISTS headers)
  get_filename_component(folder "${header}" DIRECTORY)
  file(INSTALL "${source_dir}/${header}" DESTINATION "${CMAKE_INSTALL_PREFIX}/${include_dir}/understudy/${folder}")
endforeach()
