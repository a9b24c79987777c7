# compiled_alone(SOURCE…): those name what is theirs as another source of their folder does, and get an object of their own.
function(compiled_alone)
  set_source_files_properties(${ARGN} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
endfunction()

# understudy_folder(NAME FOLDER USES…): one library target for one folder and all sources in it and below. Its headers are reachable
# as <understudy/FOLDER/…> by those who link to it and by nobody else: a dependency against the grain does not compile.
function(understudy_folder name folder)
  set(view "${PROJECT_BINARY_DIR}/include/${name}")
  get_filename_component(parent "${view}/understudy/${folder}" DIRECTORY)
  file(MAKE_DIRECTORY "${parent}")
  file(CREATE_LINK "${PROJECT_SOURCE_DIR}/${folder}" "${view}/understudy/${folder}" SYMBOLIC)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/${folder}/*.cpp")
  if(sources)
    add_library(understudy_${name} OBJECT ${sources})
    target_include_directories(understudy_${name} PUBLIC "${view}")
    target_link_libraries(understudy_${name} PUBLIC ${ARGN} PRIVATE understudy_compile_settings)
  else()
    add_library(understudy_${name} INTERFACE)
    target_include_directories(understudy_${name} INTERFACE "${view}")
    target_link_libraries(understudy_${name} INTERFACE ${ARGN})
  endif()
  set_property(GLOBAL APPEND PROPERTY UNDERSTUDY_FOLDERS understudy_${name})
endfunction()
