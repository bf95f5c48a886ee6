var d=document;d.documentElement.classList.add("js");
function el(tag,className,text){var e=d.createElement(tag);if(className)e.className=className;if(text!==undefined)e.textContent=text;return e}
function number(n){return n===null||n===undefined?"–":Number(n).toLocaleString("en-US")}
function valueOf(row,i,asNumber){var c=row.cells[i],v=c.getAttribute("data-value");if(v===null)v=c.textContent.trim();return asNumber?parseFloat(v.replace(/,/g,""))||0:v.toLowerCase()}
function sortable(table){
var heads=[].slice.call(table.tHead.rows[0].cells);
heads.forEach(function(th,i){
if(th.textContent==="Curve")return;
var b=el("button","",th.textContent);b.type="button";th.setAttribute("data-name",th.textContent);th.textContent="";th.appendChild(b);
b.addEventListener("click",function(){
var asNumber=th.getAttribute("data-type")==="number",was=th.getAttribute("aria-sort"),down=was?was==="ascending":asNumber;
heads.forEach(function(h){h.removeAttribute("aria-sort")});
th.setAttribute("aria-sort",down?"descending":"ascending");
[].forEach.call(table.tBodies,function(body){
var rows=[].slice.call(body.rows);
rows.sort(function(x,y){var a=valueOf(x,i,asNumber),b=valueOf(y,i,asNumber);return(a<b?-1:a>b?1:0)*(down?-1:1)});
rows.forEach(function(r,n){if(table.id==="tweet-list")r.classList.toggle("more",n>=15);body.appendChild(r)})})})})}
[].forEach.call(d.querySelectorAll("table.sortable"),sortable);
var asOf=d.querySelector("time.as-of");
if(asOf){var minutes=Math.round((Date.now()-new Date(asOf.dateTime))/6e4);
if(minutes>=0)asOf.insertAdjacentElement("afterend",el("span","ago"," ("+(minutes<60?minutes+" min":minutes<2880?Math.round(minutes/60)+" h":Math.round(minutes/1440)+" days")+" ago)"))}
[].forEach.call(d.querySelectorAll("[data-age]"),function(e){var m=(Date.now()-new Date(e.getAttribute("data-age")))/6e4;if(m>60&&e.getAttribute("data-live"))e.classList.add("old")});
[].forEach.call(d.querySelectorAll('a[href^="https:"]'),function(a){a.target="_blank"});
