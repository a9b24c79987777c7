# Which versions may take each other's place: the SONAME of the library and the version of the CMake package say the same.
# While the major version is 0, another minor version may have another interface.
if(PROJECT_VERSION_MAJOR EQUAL 0)
  set(UNDERSTUDY_SOVERSION "${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}")
  math(EXPR next "${PROJECT_VERSION_MINOR} + 1")
  set(UNDERSTUDY_NEXT_SOVERSION "${PROJECT_VERSION_MAJOR}.${next}")
  set(UNDERSTUDY_COMPATIBILITY SameMinorVersion)
else()
  set(UNDERSTUDY_SOVERSION "${PROJECT_VERSION_MAJOR}")
  math(EXPR UNDERSTUDY_NEXT_SOVERSION "${PROJECT_VERSION_MAJOR} + 1")
  set(UNDERSTUDY_COMPATIBILITY SameMajorVersion)
endif()
