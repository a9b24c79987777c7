# Installs the public headers. Given: source_dir, include_dir (relative to the prefix).
include("${source_dir}/cmake/public_headers.cmake")
foreach(header IN LISTS facade_headers actor_headers)
  get_filename_component(folder "${header}" DIRECTORY)
  file(INSTALL "${source_dir}/${header}" DESTINATION "${CMAKE_INSTALL_PREFIX}/${include_dir}/understudy/${folder}")
endforeach()
