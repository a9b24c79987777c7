# Installs a package's copyright and changes. Given: package, version, contact, source_dir.
set(folder "$ENV{DESTDIR}${CMAKE_INSTALL_PREFIX}/share/doc/${package}")
file(MAKE_DIRECTORY "${folder}")

file(READ "${source_dir}/LICENSE" licence)
string(REGEX REPLACE "^[^\n]*\n\nCopyright \\(c\\) ([^\n]*)\n\n" "" text "${licence}")
set(holder "${CMAKE_MATCH_1}")
if(NOT holder)
  message(FATAL_ERROR "LICENSE does not begin with a title and \"Copyright (c) YEAR, HOLDER\"")
endif()
string(STRIP "${text}" text)
string(REPLACE "\n" "\n " text " ${text}")
string(REPLACE "\n \n" "\n .\n" text "${text}")
file(WRITE "${folder}/copyright" "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: understudy

Files: *
Copyright: ${holder}
License: BSD-3-clause
${text}
")

# With SOURCE_DATE_EPOCH two builds of the same sources have the same.
string(TIMESTAMP date "%a, %d %b %Y %H:%M:%S +0000" UTC)
file(WRITE "${folder}/changelog" "understudy (${version}) unstable; urgency=medium

  * See CHANGELOG.md in /usr/share/doc/understudy.

 -- ${contact}  ${date}
")
execute_process(COMMAND gzip -9nf "${folder}/changelog" COMMAND_ERROR_IS_FATAL ANY)
